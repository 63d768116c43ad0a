"""A run as plain JSON, and what differs between two of them."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from reelgym import __version__
from reelgym.algorithms import Algorithm
from reelgym.errors import RequestError
from reelgym.rewards import Reward
from reelgym.training.config import Data, RLRun, SFTRun

FREE = frozenset(
    {"origin", "config.steps", "config.time_budget_seconds", "config.save_every", "config.trackers"}
    | {"config.store_rollouts", "config.feature_cache_prompts", "config.shard"}
    | {"config.vllm_url", "config.vllm_sleep", "config.feature_cache_gib"}
    | {"config.health_every", "config.health_samples"}
)
"""Dotted settings that may change when a run is continued: how long, what is kept or logged, where weights are held."""

_PACKAGES = ("torch", "transformers", "accelerate", "peft", "safetensors", "numpy", "pyarrow", "av")


def describe(value: Any) -> Any:
    """Return frozen values as JSON: dataclasses become {"type": class name, field: ...}, data its digest and size."""
    if isinstance(value, Data):
        return {"digest": value.digest, "items": len(value.items)}
    if is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: describe(getattr(value, f.name)) for f in fields(value)}
        return {"type": type(value).__name__, **plain}
    if isinstance(value, (Reward, Algorithm)) and not vars(value):
        return {"type": type(value).__name__}
    if isinstance(value, Mapping):
        return {str(key): describe(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(part) for part in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise RequestError(
        f"a run holds {value!r} of type {type(value).__name__}: settings are plain values or dataclasses"
    )


def refuse_changes(before: Any, run: SFTRun | RLRun, folder: Path) -> None:
    """Raise RequestError that lists every setting in which `run` differs from the one that began in `folder`.

    `FREE` settings may differ.
    """
    changes = [line for path, line in _differences(before, describe(run), "") if path not in FREE]
    if changes:
        raise RequestError(
            f"{folder} holds a run with other settings: {'; '.join(changes)}. "
            "Set them back, or choose another folder with --out"
        )


def versions() -> dict[str, str]:
    """Return the versions of Python, Reelgym, the packages numbers depend on, and the commit where one is known."""
    found = {"python": platform.python_version(), "reelgym": __version__, "machine": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    commit = _commit()
    return found | ({"commit": commit} if commit else {})


def _commit() -> str | None:
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _differences(before: Any, now: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (dotted path, "path was X, is Y") where two JSON values differ."""
    if path in FREE:
        return
    if isinstance(before, dict) and isinstance(now, dict) and before.get("type") == now.get("type"):
        for name in sorted(before.keys() | now.keys()):
            yield from _differences(before.get(name), now.get(name), f"{path}.{name}" if path else name)
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for place, (left, right) in enumerate(zip(before, now, strict=True)):
            yield from _differences(left, right, f"{path}[{place}]")
    elif isinstance(before, dict) and isinstance(now, dict) and "type" in before and "type" in now:
        yield path, f"{path or 'this'} was {before['type']}, is {now['type']}"
    elif before != now:
        yield path, f"{path} was {_short(before)}, is {_short(now)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
