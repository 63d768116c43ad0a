"""Which measures of looking and reasoning are wanted, taken one after the other, and where they are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelgym.data.files import replacing
from reelgym.data.sample import Sample
from reelgym.data.templates import TAGS, segments_of
from reelgym.errors import RequestError, WorkError, unknown
from reelgym.evaluation import results
from reelgym.evaluation.process.observed import observed
from reelgym.evaluation.process.sufficiency import observations, sufficiency
from reelgym.evaluation.process.thinking import mismatch
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import STORED_VARIANT, Progress, evaluate
from reelgym.evaluation.speakers import STORED, Manners, Speaker, is_speaker, journal_of, speaker
from reelgym.judges.rule import facts_of
from reelgym.tasks.base import MediaReader

NAMES = ("sufficiency", "mismatch", "observations", "segments")
KEY = "process"
"""Where `results.json` keeps them."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to measure.

    Attributes:
        names: Some of `NAMES`.
        observers: Other models whose observations are read too.
        judge: `openai:NAME@URL` that reads thinking where parsing does not; empty for none.
        rollouts: Replies to each sample for `segments`, at least 2.
    """

    names: tuple[str, ...]
    observers: tuple[str, ...] = ()
    judge: str = ""
    rollouts: int = 8

    def __post_init__(self) -> None:
        """Refuse an unknown measure, and settings that would change nothing."""
        for name in self.names:
            if name not in NAMES:
                raise unknown("measure", name, NAMES)
        if self.observers and "sufficiency" not in self.names:
            raise RequestError("--observer belongs to --measures sufficiency")
        if self.judge and "mismatch" not in self.names:
            raise RequestError("--think-judge belongs to --measures mismatch")
        if self.rollouts < 2:
            raise RequestError(f"--rollouts {self.rollouts}: a group has at least 2 replies")


@dataclass(frozen=True, kw_only=True)
class Around:
    """What is asked, and how.

    Attributes:
        samples: Questions.
        media: Their pixels.
        paths: Video identity to file, where files are known.
        manners: How endpoints are asked.
        max_tokens: Cap of a reply.
        seed: Of what is sampled.
        settings: Stored with every evaluation.
        stage: From a piece of work's name to what is told (done, in all).
    """

    samples: Sequence[Sample]
    media: MediaReader
    paths: Mapping[str, str | Path]
    manners: Manners
    max_tokens: int = 256
    seed: int = 0
    settings: Mapping[str, Any] | None = None
    stage: Callable[[str], Progress] | None = None

    def told(self, name: str) -> Progress | None:
        """Return who is told of the progress of a piece of work."""
        return self.stage(name) if self.stage else None

    def speaker(self, model: str) -> Speaker:
        """Return who replies for a model's name, and keeps every reply in the evaluation's folder; to be closed."""
        if is_speaker(model):
            return speaker(model, self.manners)
        from reelgym.evaluation.local import Local

        return Local.load(model, self.media, journal_of(model, self.manners.folder))


def measured(
    wanted: Wanted, replies: Mapping[str, Mapping[str, Evaluation]], around: Around
) -> tuple[dict[str, Any], dict[str, Evaluation]]:
    """Return the measures by name and model, JSON values, and further evaluations by name.

    Args:
        wanted: Which.
        replies: By model, its evaluations by name, as `ask.ask` returns them.
        around: What is asked, and how.

    Raises:
        RequestError: A model without tagged replies, or a measure that stored replies or an endpoint cannot have.
    """
    tagged = {model: _tagged(model, found) for model, found in replies.items()}
    by_id = {sample.id: sample for sample in around.samples}
    told: dict[str, Any] = {}
    more: dict[str, Evaluation] = {}
    if "mismatch" in wanted.names:
        with around.speaker(wanted.judge) if wanted.judge else nullcontext() as judge:
            told["mismatch"] = {model: _mismatch(found, by_id, judge, around) for model, found in tagged.items()}
    if "observations" in wanted.names:
        facts = facts_of(around.paths)
        told["observations"] = {model: observed(found, by_id, facts) for model, found in tagged.items()}
    if "sufficiency" in wanted.names:
        told["sufficiency"], more = _sufficiency(wanted, tagged, around)
    if "segments" in wanted.names:
        told["segments"] = {model: _segments(model, found, wanted, around) for model, found in tagged.items()}
    return told, more


def write(folder: str | Path, told: Mapping[str, Any], more: dict[str, Evaluation]) -> None:
    """Add measures to the results of a written evaluation; what was asked for them goes to `FOLDER/sufficiency`."""
    if more:
        results.write(Path(folder, "sufficiency"), more)
    path = Path(folder, "results.json")
    found = json.loads(path.read_text(encoding="utf-8")) | {KEY: dict(told)}
    try:
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(found, indent=2, allow_nan=False, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise WorkError(f"{path}: could not write the measures: {error.strerror or error}") from error


def _tagged(model: str, found: Mapping[str, Evaluation]) -> Evaluation:
    """Return the replies whose segments are looked at: under the first prompt that asks for tags."""
    for one in found.values():
        if one.probe is None and (one.variant == STORED_VARIANT or segments_of(one.variant) == TAGS):
            return one
    raise RequestError(f"{model} was not asked for an observation: give --prompt tagged (or videop2r) for --measures")


def _mismatch(found: Evaluation, by_id: Mapping[str, Sample], judge: Speaker | None, around: Around) -> dict[str, Any]:
    """Return how often thinking and answer differ; under `judge` what it took, and what the budget left unread."""
    if judge is None:
        return mismatch(found, by_id)
    used = {"prompt_tokens": 0, "completion_tokens": 0, "unread": 0}

    def reads(asked: Sequence[Any]) -> dict[int, str]:
        said = {place: one for group in judge.answers(asked, around.media, 256) for place, one in group}
        used["prompt_tokens"] += sum(one.prompt_tokens for one in said.values())
        used["completion_tokens"] += sum(one.tokens for one in said.values())
        used["unread"] += len(asked) - len(said)
        return {place: one.text for place, one in said.items()}

    told = mismatch(found, by_id, reads)
    price = judge.about().get("price")
    money = (used["prompt_tokens"] * price[0] + used["completion_tokens"] * price[1]) / 1e6 if price else None
    return told | {"judge": used | {"money": money}}


def _sufficiency(
    wanted: Wanted, tagged: Mapping[str, Evaluation], around: Around
) -> tuple[dict[str, Any], dict[str, Evaluation]]:
    written = {model: observations(found) for model, found in tagged.items()}
    for model in wanted.observers:
        variant = next(iter(tagged.values())).variant
        with around.speaker(model) as other:
            found = evaluate(
                other,
                around.samples,
                around.media,
                variant="tagged" if variant == STORED_VARIANT else variant,
                max_tokens=around.max_tokens,
                model=model,
                progress=around.told(f"observations of {model}"),
            )
        written[model] = observations(found)
    told: dict[str, Any] = {}
    more: dict[str, Evaluation] = {}
    for number, model in enumerate(tagged):
        if model.startswith(STORED):
            raise RequestError(f"{model}: stored replies answer nothing else; leave --measures sufficiency out")
        with around.speaker(model) as frozen:
            made, told[model] = sufficiency(around.samples, written, _asker(frozen, model, around))
        label = f"{number}-" if len(tagged) > 1 else ""
        names = {name: label + _short(name, list(written)) for name in made}
        more |= {names[name]: found for name, found in made.items()}
        told[model] = [row | {"evaluation": names[row["evaluation"]]} for row in told[model]]
    return told, more


def _short(name: str, writers: Sequence[str]) -> str:
    """Return a name that may be part of a file's: writers by their place."""
    place, _, writer = name.partition("-")
    return f"{place}-observed-{writers.index(writer)}" if writer else place


def _asker(frozen: Speaker, model: str, around: Around) -> Any:
    def ask(samples: Sequence[Sample], words: str) -> Evaluation:
        how = {"max_tokens": around.max_tokens, "model": model, "settings": around.settings}
        told = around.told(f"ask {model} from {words}")
        return evaluate(frozen, samples, around.media, variant=STORED_VARIANT, progress=told, **how)  # type: ignore[arg-type]

    return ask


def _segments(model: str, found: Evaluation, wanted: Wanted, around: Around) -> dict[str, Any]:
    if is_speaker(model):
        raise RequestError(f"{model}: segments are counted in tokens of a model on this machine; leave segments out")
    from reelgym import models
    from reelgym.evaluation.process.segments import Drawn, segments

    drawn = Drawn(variant=found.variant, rollouts=wanted.rollouts, max_tokens=around.max_tokens, seed=around.seed)
    told = around.told(f"sample {model}")
    return segments(models.load(model), around.samples, around.media, drawn=drawn, progress=told)
