"""Policies to folders that stock transformers and vLLM serve."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelgym.data.files import follow_umask

if TYPE_CHECKING:
    from torch import Tensor

    from reelgym.models.base import Policy

FACTS = "reelgym.json"
"""What a saved folder adds to the files of transformers: the position rule and the pixel budgets."""

PUBLISHED_ADAPTER = "adapter"
"""Folder inside a published one that keeps the adapter alone."""


def save(policy: Policy, folder: Path, state: dict[str, Tensor] | None = None) -> None:
    """Write a policy to a folder; see `Policy.save`."""
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        policy.model.save_pretrained(folder, state_dict=state)
    policy.model.generation_config.save_pretrained(folder)
    save_processor(policy, folder)
    _write(folder / FACTS, {"position_rule": policy.family.position_rule, "cold_started": policy.cold_started})
    follow_umask(folder)


def save_processor(policy: Policy, folder: Path) -> None:
    """Write what transformers builds the policy's processor from: tokenizer, chat template, preprocessors."""
    policy.tokenizer.save_pretrained(folder)
    for file, content in policy.family.processor_files(policy.sizing).items():
        _write(folder / file, content)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing its own progress bars inside."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
