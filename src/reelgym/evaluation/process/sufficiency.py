"""Whether an observation stands for the pixels: the same questions with and without either.

Reference: the information-sufficiency test of VideoP2R (Jiang et al., arXiv 2511.11113): a frozen model answers from
video or from text alone, with or without an observation that it or another model wrote. Wording, and what a missing
observation becomes, are ours: such a question is asked as if none had been written, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reelgym.data.form import contents
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.data.templates import INSTRUCTIONS
from reelgym.evaluation.results import Evaluation
from reelgym.judges.leaks import leak

WITHOUT = "\nThe pictures are left out."
BESIDE = "\nThis observation was written of them:\n{observation}"
INSTEAD = "\nThe pictures are left out. This observation stands for them:\n{observation}"
"""What follows the question; the last is what a frozen reader is asked (`judges.reader`). Ours."""

VARIANT = "reasoned"
"""The instruction: think and answer, no observation asked for."""

Ask = Callable[[Sequence[Sample], str], Evaluation]
"""Asks samples whose prompts are whole, and names the work."""


def shown(sample: Sample, *, video: bool, observation: str = "") -> Sample:
    """Return the sample with its question in text, its media where `video`, and an observation where there is one."""
    said = observation.strip()
    told = (BESIDE.format(observation=said) if said else "") if video else WITHOUT
    told = INSTEAD.format(observation=said) if said and not video else told
    messages = [
        message if video else replace(message, parts=tuple(part for part in message.parts if isinstance(part, Text)))
        for message in sample.messages
    ]
    last = max(place for place, message in enumerate(messages) if message.role == "user")
    messages[last] = Message("user", (*messages[last].parts, Text(told + INSTRUCTIONS[VARIANT])))
    return replace(sample, messages=tuple(messages))


def observations(found: Evaluation) -> dict[str, str]:
    """Return the well-formed observation of each reply, by the sample's id; empty where there is none."""
    return {row.id: contents(row.reply).get("observation", "") for row in found.rows}


def sufficiency(
    samples: Sequence[Sample], written: Mapping[str, Mapping[str, str]], ask: Ask
) -> tuple[dict[str, Evaluation], list[dict[str, Any]]]:
    """Return the evaluations by name, and the table: one row per input.

    Args:
        samples: Questions.
        written: Observations by who wrote them, each by the sample's id.
        ask: Asks the frozen model.

    Returns:
        Evaluations under `video`, `text`, `video-WRITER`, `text-WRITER`; rows with `input`, `writer`, `score` and
        `corrected` (intervals), `chance`, `evaluation` (the name), and for observations the shares `missing` and
        `leaks`.
    """
    made: dict[str, Evaluation] = {}
    table: list[dict[str, Any]] = []
    for video in (True, False):
        for writer, notes in (("", {}), *written.items()):
            place = "video" if video else "text"
            words = place + (f" + observation of {writer}" if writer else "")
            asked = [shown(sample, video=video, observation=notes.get(sample.id, "")) for sample in samples]
            found = replace(ask(asked, words), variant=VARIANT, probe=words)
            name = f"{place}-{writer}" if writer else place
            made[name] = found
            table.append(_row(found, name, (place, writer)) | (_of(notes, samples) if writer else {}))
    return made, table


def _row(found: Evaluation, name: str, what: tuple[str, str]) -> dict[str, Any]:
    corrected = found.corrected()
    return {
        "input": what[0] + (" + observation" if what[1] else ""),
        "writer": what[1],
        "score": found.mean().to_json(),
        "chance": found.chance(),
        "corrected": None if corrected is None else corrected.to_json(),
        "invalid": found.mean("invalid").mean,
        "evaluation": name,
    }


def _of(notes: Mapping[str, str], samples: Sequence[Sample]) -> dict[str, float]:
    said = [(notes.get(sample.id, ""), sample) for sample in samples]
    leaks = sum(bool(note) and bool(leak(note, sample)) for note, sample in said)
    return {"missing": sum(not note for note, _ in said) / len(said), "leaks": leaks / len(said)}
