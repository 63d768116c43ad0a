"""The door before `train` and `eval`: a model that fails is not trained or measured unless told to."""

from __future__ import annotations

import gc
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reelgym.doctor import remote
from reelgym.doctor.check import Check
from reelgym.errors import WorkError
from reelgym.evaluation.speakers import ENDPOINT, SCRIPT, STORED, Manners, endpoint_of

ENDPOINT_SECONDS = 24 * 3600.0
"""How long an endpoint that passed is believed: what stands behind an address may change. Ours."""
SMALL_BYTES = 1 << 20
"""Files up to this size are known by content, larger ones (weights) by size and time of writing."""
ASKED_TOKENS = (4000, 600)
"""Most tokens that the two short requests to an endpoint read and write, for a budget. Ours."""


def checks(model: str, *, quick: bool = False, manners: Manners | None = None) -> Iterator[Check]:
    """Yield the findings about a model, local or behind an endpoint.

    Args:
        model: As `--model` takes it.
        quick: Only what takes seconds.
        manners: How an endpoint is asked.
    """
    if model.startswith(ENDPOINT):
        return remote.checks(model, manners or Manners(folder=Path()), quick=quick)
    from reelgym.doctor import local

    return local.checks(model, quick=quick)


def require(model: str, cache: Path, *, manners: Manners | None = None) -> str:
    """Examine a model in the short form unless it passed before, and return a line to tell; empty where it had.

    A pass is kept under the model's files, the versions of what computes it and the kind of device; a fail never.

    Args:
        model: As `--model` takes it; stored replies and scripts are let through.
        cache: Folder of what is kept.
        manners: How an endpoint is asked; what asking costs is taken from its purse.

    Raises:
        WorkError: Something fails; it names it and what to do.
        RequestError: There is no such model.
    """
    if model.startswith((STORED, SCRIPT)):
        return ""
    kept = cache / "doctor" / f"{_mark(model)}.json"
    if _passed_before(kept, model):
        return ""
    began = time.monotonic()
    found = list(_bought(model, manners) if model.startswith(ENDPOINT) else _examined(model))
    if not found:
        return f"doctor: the budget does not pay for examining {model}; it is asked unexamined"
    failed = [check for check in found if check.passed is False]
    if failed:
        first = failed[0]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise WorkError(
            f"{model} fails a check: {first.name}: {first.found}{more}. See all with reelgym doctor --model {model}; "
            "--unsafe goes on nevertheless"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    told = {"model": model, "at": time.time(), "checks": {check.name: check.found for check in found}}
    made = kept.with_suffix(".part")
    made.write_text(json.dumps(told, indent=1), encoding="utf-8")
    made.replace(kept)
    passed = sum(check.passed is True for check in found)
    return f"doctor: {model} passes {passed} checks, {time.monotonic() - began:.0f} s"


def _examined(model: str) -> list[Check]:
    """Return the short findings about a local model, and give its memory back."""
    from reelgym import models
    from reelgym.doctor import local

    # Loaded here, so that a name or folder that cannot be loaded is told as everywhere else.
    held = [models.load(model)]
    found = list(local.checks(model, quick=True, load=lambda _: held.pop()))
    gc.collect()
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return found


def _bought(model: str, manners: Manners | None) -> list[Check]:
    """Return the short findings about an endpoint; none where the purse does not pay for them."""
    manners = manners or Manners(folder=Path())
    purse, most = manners.purse, endpoint_of(model, manners).cost(*ASKED_TOKENS)
    if purse is None:
        return list(remote.checks(model, manners, quick=True))
    if not purse.set_aside(most):
        return []
    spent = remote.Spending()
    try:
        return list(remote.checks(model, manners, quick=True, spending=spent))
    finally:
        purse.settle(most, endpoint_of(model, manners).cost(spent.prompt_tokens, spent.completion_tokens))


def _passed_before(kept: Path, model: str) -> bool:
    try:
        told = json.loads(kept.read_text(encoding="utf-8"))
        age = time.time() - float(told["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return not model.startswith(ENDPOINT) or 0 <= age < ENDPOINT_SECONDS


def _mark(model: str) -> str:
    """Return what names a model as it lies here, with all that computes it."""
    from reelgym import __version__

    about: dict[str, Any] = {"model": model, "reelgym": __version__}
    if not model.startswith(ENDPOINT):
        import torch

        from reelgym.training.describe import versions

        about |= {"versions": versions(), "cuda": torch.cuda.is_available(), "files": _files(model)}
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]


def _files(model: str) -> dict[str, str]:
    """Return the files of a model by name, each as its content or as its size and time."""
    from reelgym.models.loading import place_of

    folder = place_of(model)
    if folder is None:
        return {}
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in (".json", ".jinja", ".txt", ".model", ".safetensors"):
            stat = path.stat()
            small = stat.st_size <= SMALL_BYTES
            found[path.name] = (
                hashlib.sha256(path.read_bytes()).hexdigest() if small else f"{stat.st_size} {stat.st_mtime_ns}"
            )
    base = folder / "adapter_config.json"
    if base.is_file():
        named = json.loads(base.read_text(encoding="utf-8")).get("base_model_name_or_path") or ""
        found |= {f"base {name}": value for name, value in _files(str(named)).items()} if named else {}
    return found
