"""Ask a policy every question of a set, greedily, and score the replies. Floors are scored the same way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reelgym import tasks
from reelgym.data import templates
from reelgym.data.messages import Clip, Message, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError, WorkError
from reelgym.evaluation import probes
from reelgym.evaluation.local import Local
from reelgym.evaluation.results import Evaluation, Row
from reelgym.evaluation.speakers import Speaker
from reelgym.tasks.base import MediaReader

if TYPE_CHECKING:
    from reelgym.models.base import Policy
    from reelgym.rollout.base import Sampler

Progress = Callable[[int, int], None]

STORED_VARIANT = "stored"
"""The prompt of replies made elsewhere, where nobody says which it was."""


class OutOfBudget(WorkError):
    """Nothing of an evaluation was paid for."""


def evaluate(
    policy: Policy | Speaker,
    samples: Sequence[Sample],
    media: MediaReader,
    *,
    variant: str,
    probe: str | None = None,
    max_tokens: int = 256,
    batch: int = 32,
    seed: int = 0,
    model: str = "",
    sampler: Sampler | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Return the greedy replies of a policy or another speaker to samples, scored by their tasks.

    Replies that never came (failed, or not paid for) make the result partial, which its settings then say.

    Args:
        policy: Encodes prompts, and generates unless a sampler is given; or whoever replies.
        samples: What to ask; every id once.
        media: Turns an image or clip into its pixels, as the policy's `encode` wants it.
        variant: Which instruction is appended: `direct` or `tagged`.
        probe: Name of a probe, or None. What it has no meaning for is left out and told in the settings; a reply is
            scored against what is right under it.
        max_tokens: Cap of a reply; one that reaches it is marked `length`.
        batch: Prompts decoded together.
        seed: Of the probe.
        model: The name the result goes by.
        sampler: Generates instead of a `LocalSampler` that shares prefixes.
        settings: Whatever else the numbers depend on; stored with them.
        progress: Called with (samples done, samples in all).

    Raises:
        RequestError: No samples, an id twice, an unknown probe or variant.
        OutOfBudget: Not one question was paid for.
        WorkError: Not one reply came.
    """
    start = time.monotonic()
    if len({sample.id for sample in samples}) != len(samples) or not samples:
        raise RequestError(f"{len(samples)} samples: an evaluation takes at least one, and each id once")
    probe = None if probe is None else probes.get(probe).name
    applied = None if probe is None else probes.apply(probe, samples, seed)
    samples = samples if applied is None else applied.samples
    speaker = policy if isinstance(policy, Speaker) else Local(policy, sampler or _local(policy), batch)
    asked = [(one.id, _asking(one, variant)) for one in samples]
    rows: dict[int, Row] = {}
    timed: dict[int, float] = {}
    for group in speaker.under(probe).answers(asked, media, max_tokens):
        for place, said in group:
            row = grade(samples[place], said.text, stop=said.stop, tokens=said.tokens)
            told = {"reason": said.reason, "prompt_tokens": said.prompt_tokens, "turns": said.turns}
            told |= {"frames": _frames(samples[place].messages), "seconds": said.seconds or 0.0}
            timed |= {} if said.seconds is None else {place: said.seconds}
            rows[place] = replace(row, outcome=said.outcome or row.outcome, **told)  # type: ignore[arg-type]
        if progress is not None and group:
            progress(len(rows), len(samples))
    if not rows:
        raise OutOfBudget(
            f"{model or 'the model'} was asked none of {len(samples)} questions: the budget pays for none"
        )
    if all(row.outcome == "failed" for row in rows.values()):
        first = next(row.reason for row in rows.values())
        raise WorkError(f"{model or 'the model'} answered none of {len(samples)} questions: {first}")
    found = tuple(rows[place] for place in sorted(rows))
    return Evaluation(
        model=model,
        position_rule=speaker.position_rule,
        variant=variant,
        probe=probe,
        max_tokens=max_tokens,
        rows=found,
        seconds=math.fsum(timed.values()) if timed else time.monotonic() - start,
        settings=_with_partial({**(settings or {}), **speaker.about(), **_lost(applied)}, found, len(samples)),
    )


def _asking(sample: Sample, variant: str) -> tuple[Message, ...]:
    """Return the prompt; nobody knows what stored replies were asked with."""
    return sample.messages if variant == STORED_VARIANT else templates.with_instruction(sample.messages, variant)


def _lost(applied: probes.Applied | None) -> dict[str, str]:
    """Return what a probe left out, as a setting."""
    return {"left_out": applied.told()} if applied is not None and applied.left_out else {}


def _frames(messages: Sequence[Message]) -> int:
    """Return how many frames are shown, each image being one."""
    parts = (part for message in messages for part in message.parts if not isinstance(part, Text))
    return sum(len(part.times) if isinstance(part, Clip) else 1 for part in parts)


def _with_partial(settings: dict[str, Any], rows: Sequence[Row], wanted: int) -> dict[str, Any]:
    """Return settings that say what is missing: no partial result passes for a whole one."""
    failed = [row for row in rows if row.outcome == "failed"]
    said = [str(settings["partial"])] if settings.get("partial") else []
    said += [f"{len(failed)} of {wanted} questions failed ({failed[0].reason})"] if failed else []
    said += [f"the budget ended after {len(rows)} of {wanted} questions"] if len(rows) < wanted else []
    return settings | ({"partial": ", ".join(said)} if said else {})


def grade(sample: Sample, reply: str, *, stop: str = "eos", tokens: int = 0) -> Row:
    """Return the row of one reply: scored by the sample's task, beside the chance level of that sample.

    Raw parts are kept, their corrections follow from chance. An unreadable reply earns 0 in every part, so that all
    means run over all rows.
    """
    task = tasks.get(sample.task)
    score, chance = task.score(reply, sample), _raw(task.chance(sample))
    raw = {name: float(part) for name, part in _raw(score.parts).items()}
    if not score.valid:
        raw = dict.fromkeys([*(name for name in chance if name != "value"), *raw], 0.0)
    return Row(
        id=sample.id,
        source=sample.source,
        reply=reply,
        parsed=_plain(score.parsed),
        valid=score.valid,
        value=float(score.value),
        parts={name: part for name, part in raw.items() if not math.isnan(part)},
        chance=chance,
        stop=stop,
        tokens=tokens,
        facets=dict(sample.facets),
        outcome="cut_off" if stop == "length" else "ok" if reply.strip() else "empty",
    )


def floors(samples: Sequence[Sample], media: MediaReader, *, progress: Progress | None = None) -> dict[str, Evaluation]:
    """Return the evaluation of every baseline the samples' tasks know, by name: replies that need no model."""
    rows: dict[str, list[Row]] = {}
    for done, sample in enumerate(samples, 1):
        for name, reply in tasks.get(sample.task).baselines(sample, media).items():
            rows.setdefault(name, []).append(grade(sample, reply))
        if progress is not None:
            progress(done, len(samples))
    return {
        name: Evaluation(
            model=f"floor:{name}", position_rule="", variant="none", probe=None, max_tokens=0, rows=tuple(found)
        )
        for name, found in rows.items()
    }


def _local(policy: Policy) -> Sampler:
    # Here and not above: floors and scoring run where torch is not installed.
    from reelgym.rollout.local import LocalSampler

    return LocalSampler(policy, share_prefixes=True)


def _raw(parts: Mapping[str, float]) -> dict[str, float]:
    return {name: part for name, part in parts.items() if not name.endswith("_corrected")}


def _plain(parsed: Any) -> Any:
    return list(parsed) if isinstance(parsed, tuple) else parsed
