"""From a run to a folder to give away: adapters folded in, 16-bit weights, and every step checked by log-probs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from reelgym.doctor import pictures
from reelgym.doctor.probe import scores
from reelgym.doctor.subject import LIMITS, Limits
from reelgym.errors import RequestError, WorkError
from reelgym.models import loading, merging, official
from reelgym.models.saving import FACTS, PUBLISHED_ADAPTER
from reelgym.publishing import retention

if TYPE_CHECKING:
    from reelgym.models.base import Policy

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A folder that was written, and what was measured on the way.

    Attributes:
        folder: Where it lies.
        base: The model that the run began from.
        checkpoint: The checkpoint's folder.
        layers: Layers into which an adapter was folded; 0 for a run of all weights.
        merging: Largest difference of a log-prob between adapter and folded weights, float32; None without adapter.
        rounding: The same between float32 and the 16-bit weights of the folder.
        stock: The same between stock transformers on its own processor's patches and us, both on the folder.
        clips_as_trained: Whether the installed transformers places clips as the model was trained.
        position_rule: Of the model.
        before: Ordinary questions put to the base; None where it was not at hand.
        after: The same put to the folder.
    """

    folder: Path
    base: str
    checkpoint: Path
    layers: int
    merging: float | None
    rounding: float
    stock: float
    clips_as_trained: bool
    position_rule: str
    before: retention.Kept | None
    after: retention.Kept


def publish(run: str, out: Path, *, dtype: torch.dtype = torch.bfloat16, say: Say | None = None) -> Published:
    """Write the folder of a run, and check it.

    Args:
        run: `RUN` (its best checkpoint), `RUN@step-N`, or a folder of a model.
        out: The folder; must not hold anything yet.
        dtype: Of the weights written.
        say: Called with a line before each step.

    Raises:
        RequestError: No such run, or a folder that is not empty.
        WorkError: Log-probs differ by more than the number type explains; nothing is left behind.
    """
    from reelgym import models

    tell = say or (lambda line: None)
    if out.exists() and any(out.iterdir()):
        raise RequestError(f"{out} is not empty: choose another folder with --out")
    if not Path(run.partition("@")[0]).is_dir():
        raise RequestError(f"no run {run!r}: give a folder that `reelgym train` wrote, or FOLDER@step-N of it")
    checkpoint = Path(loading.resolve(run))
    tell(f"load {run} in float32")
    policy = models.load(run, device="cpu", dtype=torch.float32)
    base = base_of(run)
    adapted = bool(merging.adapted(policy.model))
    before = _before(policy, base, adapted=adapted)
    beside = scores(policy)
    layers = merging.merge(policy.model)
    folded = scores(policy)
    merged = _within(folded, beside, LIMITS[torch.float32], "the folded weights and the adapter") if layers else None
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        tell(f"write {out}")
        policy.model.to(dtype)
        policy.save(partial)
        if adapted:
            _keep_adapter(checkpoint, partial / PUBLISHED_ADAPTER)
        del policy  # Two models at a time would not fit where one does.
        tell("load it again and compare")
        again = models.load(partial, device="cpu", dtype=torch.float32)
        found = scores(again)
        rounding = _within(found, folded, LIMITS[dtype], "the folder and the run")
        stock = _stock(again)
        if stock > LIMITS[torch.float32].logprob:
            raise WorkError(f"stock transformers gives log-probs {stock:.2g} away from ours: run reelgym doctor")
        _note(partial, {"base": base, "logprobs": [round(value, 6) for value in found.tolist()]})
        after = retention.ask(again)
        clips = _clips_as_trained(again)
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Published(
        folder=out,
        base=base,
        checkpoint=checkpoint,
        layers=len(layers),
        merging=merged,
        rounding=rounding,
        stock=stock,
        clips_as_trained=clips,
        position_rule=again.position_rule,
        before=before,
        after=after,
    )


def _within(ours: torch.Tensor, theirs: torch.Tensor, limits: Limits, names: str) -> float:
    """Return the largest difference of log-probs, which must be within limits."""
    far = (ours - theirs).abs()
    most, mean = float(far.max()), float(far.mean())
    if not (most <= limits.logprob and mean <= limits.mean):
        raise WorkError(
            f"log-probs of {names} differ by {most:.2g} at most and {mean:.2g} on average, allowed {limits.logprob:g} "
            f"and {limits.mean:g}: nothing was published"
        )
    return most


def _stock(policy: Policy) -> float:
    """Return how far the stock model's log-probs are from ours for a picture cut by its own processor."""
    messages = pictures.user(pictures.image("305"), "What is it?")
    prompt = policy.encode(messages, pictures.pixels_at(8))
    seen = pictures.pixels_at(8)(pictures.image("305"))[0]
    patches, _ = official.images(policy, str(policy.model.name_or_path)).patches(seen)
    theirs = official.stock_logits(policy, prompt, {"image": patches}).log_softmax(-1)
    with torch.no_grad():
        output = policy.hidden(prompt.ids[None], prompt.positions[:, None], features=policy.features([prompt]))
        assert output.last_hidden_state is not None
        ours = policy.logits(output.last_hidden_state)[0].log_softmax(-1)
    following = prompt.ids[1:, None]
    return float((ours[:-1].gather(-1, following) - theirs[:-1].gather(-1, following)).abs().max())


def _clips_as_trained(policy: Policy) -> bool:
    clip = pictures.clip([str(number) for number in range(1, 7)], [float(second) for second in range(6)])
    prompt = policy.encode(pictures.user(clip, "What follows?"), pictures.pixels_at(8))
    found = official.stock_positions(policy, prompt, [float(policy.family.pixels.temporal)])
    return torch.equal(found, prompt.positions)


def _before(policy: Policy, base: str, *, adapted: bool) -> retention.Kept | None:
    """Return the base's replies to ordinary questions: the run's own model with its adapter off, or the base itself."""
    if adapted:
        policy.model.disable_adapters()
        try:
            return retention.ask(policy)
        finally:
            policy.model.enable_adapters()
    from reelgym import models

    try:
        return retention.ask(models.load(base, device="cpu", dtype=torch.float32)) if base else None
    except RequestError:
        return None  # Moved away or not fetched: the card says that it was not at hand.


def base_of(run: str) -> str:
    """Return the name of the model that a run began from; empty where nothing tells.

    Raises:
        RequestError: No such run.
    """
    checkpoint = Path(loading.resolve(run))
    config = Path(run.partition("@")[0]) / "config.json"
    told = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    if isinstance(told.get("policy"), str):
        return str(told["policy"])
    adapter = checkpoint / "adapter_config.json"
    return str(json.loads(adapter.read_text(encoding="utf-8"))["base_model_name_or_path"]) if adapter.is_file() else ""


def _keep_adapter(checkpoint: Path, folder: Path) -> None:
    folder.mkdir()
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        shutil.copyfile(checkpoint / name, folder / name)


def _note(folder: Path, about: dict[str, Any]) -> None:
    """Add what was measured to the facts beside the weights, with which `doctor` compares."""
    path = folder / FACTS
    facts = json.loads(path.read_text(encoding="utf-8"))
    weights = hashlib.sha256()
    for part in sorted(folder.glob("*.safetensors")):
        with part.open("rb") as file:
            weights.update(hashlib.file_digest(file, "sha256").digest())
    facts["published"] = about | {"weights": weights.hexdigest()}
    path.write_text(json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
