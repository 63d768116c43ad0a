from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# An absent module: importing it fails, and looking for it finds nothing.
BLOCKER = "import sys\nsys.modules.update(dict.fromkeys({blocked!r}))\n"
TRAIN = ("torch", "transformers", "accelerate", "peft", "safetensors", "datasets", "tokenizers")
ROOMS = ("errors", "registry", "video", "data", "scoring", "world", "tasks", "synthesis", "rewards")


def _python(code: str, blocked: tuple[str, ...], repository: Path, **env: str) -> subprocess.CompletedProcess[str]:
    script = BLOCKER.format(blocked=blocked) + code
    variables = os.environ | {"PYTHONPATH": str(repository / "src")} | env
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=variables)


def _modules(room: str, repository: Path) -> list[str]:
    root = repository / "src" / "reelgym"
    paths = [root / f"{room}.py"] if (root / f"{room}.py").exists() else sorted((root / room).rglob("*.py"))
    names = [".".join(path.relative_to(root.parent).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


def test_every_room_of_the_base_install_imports_without_torch(repository: Path) -> None:
    names = [name for room in ROOMS for name in _modules(room, repository)]
    assert len(names) > 30
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)\n"
    done = _python(code, TRAIN, repository)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["list", "algorithms"], ["list", "recipes"], ["synth", "-h"]]
)
def test_the_command_line_of_the_base_install_works_without_torch(arguments: list[str], repository: Path) -> None:
    done = _python(f"from reelgym.cli import run\nsys.exit(run({arguments!r}))", TRAIN, repository)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_synth_and_inspect_work_without_torch_and_train_says_what_is_missing(
    repository: Path, tmp_path: Path, world_videos: Path
) -> None:
    code = f"""
from reelgym.cli import run
small = ["--workers", "1", "--fps", "2", "--set", "short_side=28"]
made = run(["synth", {str(world_videos)!r}, "--out", "ds", *small])
looked = run(["inspect", "ds", "--json"])
trained = run(["train", "mvp", "--data", "ds"])
sys.exit(f"codes {{made}} {{looked}} {{trained}}")
"""
    script = f"import os; os.chdir({str(tmp_path)!r})\n{code}"
    done = _python(script, TRAIN, repository, REELGYM_CACHE=str(tmp_path / "cache"))
    lines = done.stderr.splitlines()
    assert lines[-1] == "codes 0 0 2", done.stderr
    assert "this needs torch, which is not installed: pip install 'reelgym[train]'" in lines[-2]


def test_models_algorithms_and_training_import_without_av_rich_and_typer(repository: Path) -> None:
    names = [name for room in ("models", "algorithms", "training") for name in _modules(room, repository)]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)\n"
    done = _python(code, ("av", "rich", "typer"), repository)
    assert done.returncode == 0, done.stderr


def test_help_imports_nothing_heavy(repository: Path) -> None:
    code = """
from reelgym.cli import run
run(["--help"])
import json
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    done = _python(code, (), repository)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & {"numpy", "av", "pyarrow", "torch", "transformers", "jinja2", "httpx", "PIL"}
