"""Questions of every kind of answer, made by hand."""

from __future__ import annotations

from typing import Any

from reelgym.data.messages import Clip, Message, Text
from reelgym.data.sample import Sample
from reelgym.evaluation.rows import ASKS, asking
from reelgym.video.types import FrameSpec

TIMES = (1.0, 3.0, 5.0, 7.0)
"""Frames of a video of 8 seconds: the middles of its four quarters."""

OPTIONS = ("a cat", "a dog", "a cup")


def question(
    kind: str, answer: Any = None, *, number: int = 0, video: str = "full:a", task: str = "benchmark", **evidence: Any
) -> Sample:
    """Return a question about four frames of a video."""
    spec = FrameSpec(times=TIMES, size=(28, 28))
    options = evidence.get("options", ())
    text = asking(f"What is it ({number})?", options, ASKS.get(kind, "Answer."))
    return Sample(
        id=f"q-{number}",
        task=task,
        messages=(Message("user", (Clip(video=video, spec=spec, times=TIMES), Text(f"\n{text}"))),),
        answer=answer,
        split="test",
        evidence={"kind": kind, "duration_seconds": 8.0, **evidence},
        facets={"kind": kind},
        provenance={"source": video},
    )


def choice(answer: str = "B", *, options: tuple[str, ...] = OPTIONS, **more: Any) -> Sample:
    """Return a question with options."""
    return question("choice", answer, options=list(options), **more)


def every_kind() -> dict[str, Sample]:
    """Return one question of every kind of answer."""
    return {
        "choice": choice(spans=[[2.0, 4.0]]),
        "number": question("number", "3"),
        "span": question("span", spans=[[1.0, 4.0]]),
        "spans": question("spans", spans=[[0.0, 2.0], [5.0, 6.0]]),
        "order": question("order", [2, 1, 4, 3]),
        "grounded": question("grounded", "A", options=list(OPTIONS), spans=[[6.0, 8.0]]),
        "labelled span": question("span", [1.0, 4.0], task="labelled"),
        "text": question("text", "a cat", task="labelled"),
    }
