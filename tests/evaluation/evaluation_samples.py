"""MVP samples made by hand, and a policy that needs no torch: it answers from a list."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from reelgym.data.messages import Clip, Image, Message, Part, Text
from reelgym.data.sample import Sample
from reelgym.data.trajectory import Turn
from reelgym.video.types import FrameSpec

SPEC = FrameSpec(fps=1.0, size=(28, 28))


def sample(index: int, *, videos: int = 4, answer: tuple[int, ...] = (2, 1)) -> Sample:
    """Return a puzzle with 2 hidden frames among 4 candidates."""
    video = f"full:{index % videos:02d}"
    parts: list[Part] = [
        Text("Before the gap: "),
        Clip(video=video, spec=SPEC, times=(0.0, 1.0, 2.0)),
        Text(" After the gap: "),
        Clip(video=video, spec=SPEC, times=(5.0, 6.0)),
    ]
    for number, time in enumerate((4.0, 3.0, 7.0, 8.0), 1):
        parts += [Text(f" Candidate {number}: "), Image(video=video, spec=SPEC, time=time)]
    parts.append(Text(" Which 2 candidates fill the gap, in time order?"))
    return Sample(
        id=f"mvp-{index:03d}",
        task="mvp",
        messages=(Message("user", tuple(parts)),),
        answer=list(answer),
        split="test",
        evidence={"pool": 4},
        facets={"kind": "moving"},
        provenance={"source": video},
    )


def turn(text: str, stop: str = "eos") -> Turn:
    """Return a completion of as many tokens as characters."""
    ids = np.zeros(len(text), np.int64)
    return Turn(
        ids=ids,
        logprobs=ids.astype(np.float32),
        loss_mask=ids.astype(bool),
        text=text,
        stop=stop,  # type: ignore[arg-type]
    )


class Asked(SimpleNamespace):
    """A prompt of 7 tokens."""

    def __init__(self, messages: tuple[Message, ...]) -> None:
        super().__init__(messages=messages)

    def __len__(self) -> int:
        return 7


class Script:
    """A policy and sampler in one: records what was asked, replies by `answer(messages) -> (text, stop)`."""

    position_rule = "qwen"

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked, self.calls = answer, [], []

    def encode(self, messages: tuple[Message, ...], media: Any, *, generate: bool = True) -> Any:
        self.asked.append(messages)
        return Asked(messages)

    def encode_all(self, every: Sequence[tuple[Message, ...]], media: Any, *, generate: bool = True) -> list[Any]:
        return [self.encode(messages, media) for messages in every]

    def fingerprint(self) -> str:
        return "script"

    def sample(self, prompts: Sequence[Any], *, n: int, params: Any, streams: Any, features: Any = None) -> Any:
        self.calls.append((len(prompts), n, params, streams))
        return [[turn(*self.answer(prompt.messages))] for prompt in prompts]


def media(part: Any) -> np.ndarray:
    """Return pixels whose brightness is the frame's time."""
    times = getattr(part, "times", None) or (part.time,)
    return np.stack([np.full((28, 28, 3), 20 + 10 * int(t), np.uint8) for t in times])
