"""Checkpoints: complete or absent, without pickle; the last three and the best are kept.

Layout: `RUN/checkpoints/step-N/` holds what `policy.save` writes (the adapter alone under LoRA),
`optimizer.safetensors`, `training.json` and `kept.json`. `RUN/checkpoints/best.json` names the best of those that were
evaluated; the untrained model has no checkpoint and is never it, but its score stands beside.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from safetensors.torch import load_file, save_file
from torch import Tensor

from reelgym.data.files import follow_umask
from reelgym.errors import WorkError

KEPT = 3
"""How many of the latest checkpoints are kept besides the best."""

_NAME = re.compile(r"step-(\d+)")


@dataclass(frozen=True, kw_only=True)
class State:
    """Where a run stands, apart from its weights and moments. Order and random draws follow from (seed, step).

    Attributes:
        step: Steps done.
        seconds: Training time so far.
        best_step: Step of the best evaluation after training began, -1 before any.
        best_value: Its value.
        untrained: Value of the evaluation before any step; None where there was none.
        stale: Evaluations since the last one that was better than all before it, the untrained model's included.
        broken: Optimisation steps refused as not finite.
        broken_in_a_row: How many of them lately.
    """

    step: int = 0
    seconds: float = 0.0
    best_step: int = -1
    best_value: float = 0.0
    untrained: float | None = None
    stale: int = 0
    broken: int = 0
    broken_in_a_row: int = 0

    def judged(self, value: float) -> State:
        """Return the state after an evaluation of this step, higher is better; equal values leave the earlier best."""
        if self.step == 0:
            return replace(self, untrained=value)
        first = self.best_step < 1
        known = [self.untrained, None if first else self.best_value]
        gained = all(value > other for other in known if other is not None)
        state = replace(self, stale=0 if gained else self.stale + 1)
        return replace(state, best_step=self.step, best_value=value) if first or value > self.best_value else state


class Kept(Protocol):
    """Something of a run that changes from step to step and is not weights: a curriculum, a store of old groups."""

    def state(self) -> Mapping[str, Any]:
        """Return all of it as JSON values."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        ...


def write(
    run: Path,
    state: State,
    save_policy: Callable[[Path], object],
    moments: dict[str, Tensor],
    metric: str,
    *,
    kept: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """Write a checkpoint under a temporary name, rename it, and remove those no longer kept.

    Args:
        run: The run's folder.
        state: Where the run stands; `state.step` names the folder.
        save_policy: Writes weights and tokenizer into an existing folder.
        moments: Optimiser state.
        metric: What `best_value` is, for `best.json`.
        kept: Name to what a `Kept` returned, for `kept.json`.
    """
    root = run / "checkpoints"
    final = root / f"step-{state.step}"
    partial = root / f".step-{state.step}.{os.getpid()}.partial"
    _clean(root)
    partial.mkdir(parents=True)
    try:
        save_policy(partial)
        save_file(moments, partial / "optimizer.safetensors")
        (partial / "kept.json").write_text(json.dumps(kept or {}))
        (partial / "training.json").write_text(json.dumps(asdict(state), indent=1))
        follow_umask(partial)
        _flush(partial)
        _remove(final)
        partial.rename(final)
    except OSError as fault:
        shutil.rmtree(partial, ignore_errors=True)
        raise WorkError(f"{final}: the checkpoint could not be written ({fault}); earlier ones are unharmed") from fault
    if state.best_step == state.step:
        scores = {"value": state.best_value, "untrained": state.untrained}
        best = {"checkpoint": final.name, "metric": metric, **scores}
        write_json(root / "best.json", best)
    _prune(root, keep=state.best_step)
    return final


def latest(run: Path) -> Path | None:
    """Return the complete checkpoint of the highest step, or None."""
    found = _complete(run / "checkpoints")
    return found[max(found)] if found else None


def best(run: Path) -> Path | None:
    """Return the best checkpoint by `best.json`, the latest where no evaluation chose one, or None."""
    root = run / "checkpoints"
    chosen = root / str(_best(root).get("checkpoint", ""))
    return chosen if chosen != root and chosen.is_dir() else latest(run)


def caveat(run: Path) -> str:
    """Return one line if the untrained model scored higher than the run's best checkpoint, else nothing."""
    found = _best(run / "checkpoints")
    value, untrained = found.get("value"), found.get("untrained")
    if value is None or untrained is None or untrained <= value:
        return ""
    return f"{run}: the untrained model scored higher, {untrained:.4g} against {value:.4g} ({found['metric']})"


def _best(root: Path) -> dict[str, Any]:
    path = root / "best.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def read_state(folder: Path) -> State:
    """Return the state stored in a checkpoint.

    Raises:
        WorkError: It is not one of ours, or from another version.
    """
    try:
        return State(**json.loads((folder / "training.json").read_text()))
    except (OSError, ValueError, TypeError) as fault:
        raise WorkError(f"{folder}: not a checkpoint that training can continue from ({fault})") from fault


def read_moments(folder: Path) -> dict[str, Tensor]:
    """Return the optimiser state stored in a checkpoint."""
    return load_file(folder / "optimizer.safetensors")


def read_kept(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return what was given to `write` as `kept`, by name."""
    path = folder / "kept.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def clean(run: Path) -> None:
    """Remove what a killed run left half written; no rank may be writing."""
    _clean(run / "checkpoints")
    for partial in run.glob(".*.partial"):
        partial.unlink()


def _clean(root: Path) -> None:
    for partial in root.glob(".*.partial"):
        shutil.rmtree(partial) if partial.is_dir() else partial.unlink()


def _remove(folder: Path) -> None:
    """Remove a checkpoint under a name that nobody takes for one, so that it is never half there."""
    if folder.exists():
        going = folder.with_name(f".{folder.name}.{os.getpid()}.going.partial")
        folder.rename(going)
        shutil.rmtree(going)


def _flush(folder: Path) -> None:
    """Bring a folder's files to the disk: a rename that outlives a power cut must not outlive its content."""
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write JSON to a temporary name and rename it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")
    partial.replace(path)


def _complete(root: Path) -> dict[int, Path]:
    if not root.is_dir():
        return {}
    named = {path: _NAME.fullmatch(path.name) for path in root.iterdir()}
    return {int(match[1]): path for path, match in named.items() if match and (path / "training.json").is_file()}


def _prune(root: Path, *, keep: int) -> None:
    found = _complete(root)
    for step in sorted(found)[:-KEPT]:
        if step != keep:
            _remove(found[step])
