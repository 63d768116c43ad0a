"""Print constraints that pin transformers to the oldest release that pyproject.toml allows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
for requirement in project["optional-dependencies"]["train"]:
    if found := re.match(r"transformers>=([0-9.]+)", requirement):
        print(f"transformers=={found[1]}")
