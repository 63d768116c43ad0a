"""From a draft and what its video looks like to a sample."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reelgym.data.dataset import Source, canonical
from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.sample import Sample, Split
from reelgym.scoring.choice import LETTERS
from reelgym.synthesis.labelled.record import BadRecord, Draft
from reelgym.tasks.labelled import Labelled
from reelgym.tasks.shown import model_size
from reelgym.video import FrameSpec, Video
from reelgym.video.types import STILL

ASKS = {
    "choice": "Answer with the letter of one option.",
    "number": "Answer with one number.",
    "regression": "Answer with one number.",
    "ocr": "Answer with the text you read.",
    "text": "Answer in your own words.",
    "span": "Answer with its start and end in seconds, like 3.5 - 10.",
}
"""What is said about the answer, by kind. Ours: one prompt for training and evaluation."""

MULTIPLE = 28
"""Sides of frames are multiples of this: patches of any model here, merged two by two."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A video as the worker saw it: instants asked for, true times of the frames shown then, both in seconds.

    `still` says that it is a picture and no video.
    """

    video: Video
    instants: tuple[float, ...]
    times: tuple[float, ...]
    warnings: tuple[str, ...]
    still: bool = False

    @staticmethod
    def of(result: Mapping[str, Any]) -> Looked:
        """Return the result of `worker.look`."""
        video = dict(result["video"]) | {"warnings": tuple(result["video"]["warnings"])}
        return Looked(
            video=Video(**video),
            instants=tuple(result["instants"]),
            times=tuple(result["times"]),
            warnings=tuple(result["warnings"]),
            still=bool(result.get("still")),
        )


def sample_of(
    draft: Draft, looked: Looked, split: Split, at: tuple[str, int], shared: tuple[int, Counter[str]]
) -> Sample:
    """Return the sample of one question.

    Args:
        draft: The question, checked.
        looked: Its video.
        split: Of the video.
        at: Name of the file of records, and the row.
        shared: Largest area of a frame, and how often each question was asked so far, which this call adds to.

    Raises:
        BadRecord: A span that lies outside of the video.
    """
    video, (max_pixels, asked) = looked.video, shared
    answer = _inside(draft.answer, video.duration_seconds) if draft.kind == "span" else draft.answer
    named = [Labelled.name, Labelled.version, video.identity, draft.kind, draft.question, draft.options, draft.answer]
    content = hashlib.sha256(canonical(named).encode()).hexdigest()
    key = hashlib.sha256(f"{content} {asked[content]}".encode()).hexdigest()
    asked[content] += 1
    part = medium_of(looked, max_pixels)
    evidence: dict[str, Any] = {"kind": draft.kind}
    evidence |= {"duration_seconds": video.duration_seconds} if isinstance(part, Clip) else {}
    evidence |= {"options": list(draft.options)} if draft.options else {}
    evidence |= {"spans": [list(draft.evidence)]} if draft.evidence else {}
    facets: dict[str, str | int | float] = {"kind": draft.kind}
    facets |= {"origin": draft.origin} if draft.origin else {}
    facets |= {"facet": draft.facet} if draft.facet else {}
    facets |= {"medium": draft.medium} if draft.medium == "image" else {}
    provenance: dict[str, Any] = {"source": video.identity, "file": at[0], "row": at[1]}
    provenance |= {"given_id": draft.given_id} if draft.given_id else {}
    provenance |= {"given": dict(draft.given)} if draft.given else {}
    provenance |= {"given_span": draft.answer} if answer != draft.answer else {}
    sample = Sample(
        id=f"{Labelled.name}-{split}-{key[:16]}",
        task=Labelled.name,
        split=split,
        messages=(Message("user", (part, Text(f"\n{asking(draft)}"))),),
        answer=answer,
        evidence=evidence,
        facets=facets,
        provenance=provenance,
    )
    if draft.observation or draft.think:
        evidence["gold"] = _reply(draft, Labelled().gold(sample))
    return sample


def medium_of(looked: Looked, max_pixels: int) -> Image | Clip:
    """Return what is shown of a file: a picture, or a clip of a video, frames of at most `max_pixels`."""
    video = looked.video
    size = model_size(video.height, video.width, None, max_pixels, MULTIPLE)
    if looked.still:
        return Image(video=video.identity, spec=FrameSpec(times=(0.0,), size=size, reader=STILL), time=0.0)
    return Clip(video=video.identity, spec=FrameSpec(times=looked.instants, size=size), times=looked.times)


def source_of(path: str, looked: Looked, split: Split, root: Path) -> Source:
    """Return the source of a dataset that a file below the folder of videos is."""
    video = looked.video
    return Source(
        identity=video.identity,
        path=Path(os.path.relpath(path, root)).as_posix(),
        split=split,
        size_bytes=video.size_bytes,
        duration_seconds=video.duration_seconds,
        height=video.height,
        width=video.width,
        frame_rate=video.frame_rate,
        codec=video.codec,
        warnings=tuple(dict.fromkeys([*video.warnings, *looked.warnings])),
    )


def asking(draft: Draft) -> str:
    """Return question, lettered options and what is said about the answer."""
    options = [f"{letter}. {option}" for letter, option in zip(LETTERS, draft.options, strict=False)]
    return "\n".join([draft.question, *options, ASKS[draft.kind]])


def _inside(span: list[float], duration_seconds: float) -> list[float]:
    """Return the span with its end inside of the video."""
    if span[0] >= duration_seconds:
        raise BadRecord(f"its span starts at {span[0]:g} s, where the video has ended ({duration_seconds:g} s)")
    return [span[0], min(span[1], duration_seconds)]


def _reply(draft: Draft, gold: str) -> str:
    """Return the record's own chain of thought as a reply, in the tags of VideoP2R (arXiv 2511.11113)."""
    seen = f"<observation>{draft.observation}</observation>" if draft.observation else ""
    return f"{seen}<think>{draft.think}</think><answer>{gold}</answer>"
