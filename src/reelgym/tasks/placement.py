"""Placement: when was this frame?

What it does. Shows a stretch of a video as a few frames with their times and one more frame from between two of them,
and asks when it was: in seconds, or between which two.
Why. To place a single picture in time takes an account of what happened before and after what.
Example. Frames at 0, 3, 6, ... 21 s, and one from 10.4 s; answer `10.4`.
How it is scored. In seconds: strict within the tolerance, a quarter of the distance of the frames shown (the span that
the hidden frame may lie in, so the middle of the right interval is right); smooth falls from there to 0 over a quarter
of the stretch. By interval: strict the right number; smooth for a wrong one 0.5 times 1 - |i - g| / (n - 1).
Limits. A scene that returns to where it was has more than one right moment; frames that look the same as one far away
in time are refused. Where a video changes slowly, the most similar frames shown are the nearest in time; `balance` is
the setting against it, and `baselines` says how far it goes.
References. The smooth reward follows Time-R1 (arXiv 2503.13377), which it makes flat near the truth. The task is ours,
and so is the balance: the rank of the right interval by likeness is drawn evenly, as far as the video has such frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from reelgym.data.messages import Image, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring import parse_indices
from reelgym.scoring.graded import choice_chance, choice_parts
from reelgym.scoring.placed import parse_seconds, placed_chance, placed_parts
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Draft, Pretext, Reel
from reelgym.tasks.timeline import ALIKE, JitteredConfig, balanced, clip, clips_of, described, spread, toned
from reelgym.video import GridDescriptor

_STEPS = 4
"""Frames of the video, at least, from one frame shown to the next: a hidden one lies well between them."""

_DRAWN = 16
"""Frames that a balanced draw chooses the hidden one from."""


@dataclass(frozen=True, kw_only=True)
class PlacementConfig(JitteredConfig):
    """The numbers of the construction; all are ours."""

    answer: Literal["seconds", "interval"] = "seconds"
    """What is asked for: the second, or the number of the interval between two frames shown."""
    context_frames: int = 8
    """Frames shown with their times, evenly spread over the stretch."""
    shortest: float = 0.6
    """The least share of the video that a sample is cut from; the stretch is drawn between this and all of it."""
    balance: bool = True
    """Draw the hidden frame so that being like the frames on both sides of it does not give its place away."""
    reach: float = 0.25
    """Share of the stretch over which the smooth reward falls to 0."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if self.answer not in ("seconds", "interval"):
            raise RequestError(f"answer={self.answer!r}: 'seconds' or 'interval'")
        if not 3 <= self.context_frames <= 64:
            raise RequestError(f"context_frames={self.context_frames}: show 3 to 64 frames")
        if not 0 < self.shortest <= 1 or not 0 < self.reach <= 1:
            raise RequestError(f"shortest={self.shortest}, reach={self.reach}: give shares above 0 up to 1")


class Placement(Pretext):
    """Say when a single frame of a video was (ours; the reward after arXiv 2503.13377)."""

    name: ClassVar[str] = "placement"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = PlacementConfig
    config: PlacementConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return _STEPS * (self.config.context_frames - 1) + 1

    def wanted_frames(self) -> int:
        """Return enough for the shortest stretch."""
        return int(np.ceil(self.least / self.config.shortest))

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return one question, or None where the frame looks the same as one of another time."""
        config = self.config
        length = int(rng.integers(max(self.least, int(config.shortest * len(reel))), len(reel) + 1))
        start = int(rng.integers(len(reel) - length + 1))
        context = spread(start, start + length, config.context_frames)
        interval, hidden = self._hidden(reel, context, rng)
        left, right = context[interval], context[interval + 1]
        far = [k for k in range(start, start + length) if not left <= k <= right]
        if float((reel.rows[far] @ reel.rows[hidden]).max()) >= ALIKE:
            return None
        clock = reel.times[context] - reel.times[context[0]]
        whole, truth = float(clock[-1]), float(reel.times[hidden] - reel.times[context[0]])
        known: dict[str, Any] = {
            "answer": config.answer,
            "length": round(whole, 6),
            "hidden_time": float(reel.times[hidden]),
        }
        if config.answer == "interval":
            count = config.context_frames - 1
            known |= {"closeness": [1 - abs(k - interval) / (count - 1) for k in range(count)]}
            asked = f"Between which frames was it: 1, the first two, to {count}, the last two? Answer with the number."
        else:
            known |= {"tolerance": round(whole / (config.context_frames - 1) / 4 + 0.05, 6)}
            known |= {"reach": round(config.reach * whole, 6)}
            asked = f"At which second was it, from 0 to {whole:.1f}? Answer with the seconds."
        image = Image(
            video=reel.identity, spec=reel.shown, time=float(reel.times[hidden]), edits=toned(rng, config.jitter)
        )
        return Draft(
            parts=(
                Text(f"Frames of a video at {', '.join(f'{t:.1f}' for t in clock)} s:\n"),
                clip(reel.identity, reel.shown, reel.seconds(context)),
                Text("\nOne more frame of it:\n"),
                image,
                Text(f"\n{asked}"),
            ),
            answer=[interval + 1] if config.answer == "interval" else round(truth, 6),
            signature=(start, length, hidden),
            evidence=known,
            facets={"answer": config.answer, "context_frames": config.context_frames},
            times=(*reel.seconds(context), float(reel.times[hidden])),
        )

    def read(self, text: str, sample: Sample) -> Any:
        """Return a second of the stretch, or the number of an interval."""
        known = sample.evidence
        if known["answer"] == "interval":
            return parse_indices(text, 1, len(known["closeness"]))
        return parse_seconds(text, known["length"])

    def parts(self, said: Any, sample: Sample) -> dict[str, float]:
        """Return `strict` and `smooth`."""
        known = sample.evidence
        if known["answer"] == "interval":
            return choice_parts(said[0], sample.answer[0], known["closeness"])
        return placed_parts(said, sample.answer, known["tolerance"], known["reach"])

    def chances(self, sample: Sample) -> dict[str, float]:
        """Return the mean over all intervals, or over all tenths of a second of the stretch."""
        known = sample.evidence
        if known["answer"] == "interval":
            return choice_chance(sample.answer[0], known["closeness"])
        return placed_chance(sample.answer, known["tolerance"], known["reach"], known["length"])

    def gold(self, sample: Sample) -> str:
        """Return the right seconds to one decimal, or the number of the interval."""
        if sample.evidence["answer"] == "interval":
            return str(sample.answer[0])
        return _written(sample.answer, sample)

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that need no account of what happened.

        * nearest_frame: beside the frame shown that looks most like the hidden one, on the more similar side.
        * between_most_alike: the interval whose two frames are most like it in sum.
        * by_brightness: the interval whose mean light comes nearest to its light.
        * middle: the middle of the stretch.
        """
        (shown,) = clips_of(sample)
        (image,) = (part for message in sample.messages for part in message.parts if isinstance(part, Image))
        (rows,), pixels = described([shown], media), media(shown)
        one = media(image)
        similar = rows @ GridDescriptor().describe(one)[0]
        sums = similar[:-1] + similar[1:]
        nearest = int(np.argmax(similar))
        sides = [k for k in (nearest - 1, nearest) if 0 <= k < len(sums)]
        light = pixels.mean(axis=(1, 2, 3))
        intervals = {
            "nearest_frame": max(sides, key=lambda k: float(sums[k])),
            "between_most_alike": int(np.argmax(sums)),
            "by_brightness": int(np.argmin(np.abs((light[:-1] + light[1:]) / 2 - one.mean()))),
            "middle": len(sums) // 2,
        }
        if sample.evidence["answer"] == "interval":
            return {name: str(k + 1) for name, k in intervals.items()}
        clock = np.array(shown.shown_seconds or shown.times)
        return {name: _written(float(clock[k] + clock[k + 1]) / 2, sample) for name, k in intervals.items()}

    def _hidden(self, reel: Reel, context: list[int], rng: np.random.Generator) -> tuple[int, int]:
        """Return an interval and the place of a frame in its middle half."""
        drawn: list[tuple[int, int]] = []
        for _ in range(_DRAWN if self.config.balance else 1):
            interval = int(rng.integers(len(context) - 1))
            left, right = context[interval], context[interval + 1]
            quarter = (right - left + 3) // 4
            drawn.append((interval, int(rng.integers(left + quarter, right - quarter + 1))))
        similar = reel.rows[[hidden for _, hidden in drawn]] @ reel.rows[context].T
        sums = similar[:, :-1] + similar[:, 1:]
        ranks = [int((row > row[interval]).sum()) for row, (interval, _) in zip(sums, drawn, strict=True)]
        return drawn[balanced(ranks, len(context) - 1, rng)]


def _written(seconds: float, sample: Sample) -> str:
    return f"{min(seconds, sample.evidence['length']):.1f}"
