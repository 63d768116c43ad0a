"""Masked video prediction: choose the hidden frames among look-alikes and put them in order.

What it does. Keeps N visually distinct frames of a video, hides a run of K of them, and asks which K of K + l
candidates fill the gap, in time order. The l distractors are other frames of the same neighbourhood.
Why. The video itself is the label: any unlabelled video gives a question with one checkable answer that needs both
perception (which frames belong) and time (in what order).
Example. Context at 0, 1, 2 and 6, 7 s; candidates 1..5; answer `4, 1, 5`.
How it is scored. `scoring.ordered`: exact, selection, order, position, displacement, lcs and two mixed shapes, each raw
and corrected for chance; `value` is the two-part shape. An invalid reply scores 0 on every raw part.
Limits. Frames that look alike far apart, burned-in clocks and cuts are shortcuts or ambiguities; `inspect` reports
what similarity alone solves.
References. MVP: Enhancing Video Large Language Models via Self-supervised Masked Video Prediction, arXiv 2601.03781.
Construction as in its public description: a fixed rate, a random start, greedy de-duplication against the last kept
frame, N kept, a continuous hidden run, distractors from the same neighbourhood, a shuffled pool. Its numbers and its
reward were not published: every default here is ours, and no result of the paper is reproduced. Also ours:
de-duplication against all kept frames, context on both sides, the margin, the minimum gap, the automatic threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image, Message, Part, Text
from reelgym.data.sample import Sample, Split
from reelgym.errors import MediaError, RequestError
from reelgym.scoring import Score, answer_text, corrected, ordered_chance, ordered_parts, parse_indices
from reelgym.tasks.base import MediaReader, Task, sample_key, stream
from reelgym.video import Frames, FrameSpec, GridDescriptor, Video, deduplicate

KAPPAS = (0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998)
"""What the automatic threshold tries, strictest first. Above the last one a video counts as static. Ours."""

_TRIES = 8


@dataclass(frozen=True, kw_only=True)
class MVPConfig:
    """The numbers of the construction. All defaults are ours: the paper's were not published."""

    fps: float = 1.0
    """Frames per second taken from the video; `synth --fps` overrides it. 1 is the paper's."""
    frames: int = 16
    """N: frames shown or hidden. Distractors and margins come on top."""
    hidden: int = 3
    """K: frames of the hidden run."""
    distractors: int = 3
    """l: candidates that are not hidden frames."""
    kappa: float | None = None
    """Two frames more similar than this count as one. None: the strictest of `KAPPAS` that leaves enough frames."""
    against: Literal["last", "all"] = "all"
    """A frame is compared with the last kept one (the paper) or with all kept ones (ours)."""
    min_before: int = 2
    """Context frames before the gap, at least."""
    min_after: int = 2
    """Context frames after the gap, at least."""
    margin: int = 0
    """Distinct frames on each side between context and hidden run that nobody sees: against boundary matching."""
    gap: float | None = None
    """Least distance (1 - similarity) between two candidates, and between a candidate and the context. None: 1 - kappa."""
    neighbourhood_seconds: float | None = None
    """Distractors lie at most this far from the hidden run. None: anywhere in the window of kept frames."""
    size: tuple[int, int] | None = None
    """Height and width in pixels shown to the model. None: from the next settings."""
    short_side: int | None = None
    """Shorter side in pixels shown to the model. None: as large as `max_pixels` allows."""
    max_pixels: int = 128 * 28 * 28
    """Largest height x width shown to the model."""
    multiple: int = 28
    """Height and width are multiples of this: one merged patch of the smallest supported model family."""
    analysis_side: int = 64
    """Shorter side in pixels at which frames are compared."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        pool = self.hidden + self.distractors
        if self.hidden < 1 or self.distractors < 0 or not 2 <= pool <= 12:
            raise RequestError(
                f"hidden={self.hidden} and distractors={self.distractors} make a pool of {pool}: hide at least 1, pool 2 to 12"
            )
        if self.min_before < 1 or self.min_after < 1 or self.margin < 0:
            raise RequestError(
                f"min_before={self.min_before}, min_after={self.min_after}, margin={self.margin}: context needs at "
                "least 1 frame on each side, and a margin 0 or more"
            )
        least = self.hidden + self.min_before + self.min_after
        if self.frames < least:
            raise RequestError(
                f"frames={self.frames} is less than hidden + min_before + min_after = {least}: raise frames"
            )
        if self.against not in ("last", "all"):
            raise RequestError(f"against={self.against!r}: compare with 'last' or 'all' kept frames")
        if self.kappa is not None and not 0 < self.kappa <= 1:
            raise RequestError(f"kappa={self.kappa} is outside (0, 1]: give a similarity, or leave it out")
        if self.gap is not None and not 0 <= self.gap < 1:
            raise RequestError(f"gap={self.gap} is outside [0, 1): give a distance, or leave it out")

    @property
    def window(self) -> int:
        """Distinct frames that one puzzle takes: N, the distractors and both margins."""
        return self.frames + self.distractors + 2 * self.margin


@dataclass(frozen=True)
class Puzzle:
    """Places of one puzzle in the frames it was drawn from, each ascending but `pool`, which is shuffled."""

    before: list[int]
    hidden: list[int]
    after: list[int]
    pool: list[int]


class MVP(Task):
    """Choose the K hidden frames of a video among K + l candidates, in time order (arXiv 2601.03781)."""

    name: ClassVar[str] = "mvp"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = MVPConfig
    config: MVPConfig

    def wanted_frames(self) -> int:
        """Return three windows: room for frames that turn out to look alike."""
        return 3 * self.config.window

    def spec(self, fps: float) -> FrameSpec:
        """Return the spec at which frames are compared; prompts name the same instants at the model's size."""
        return FrameSpec(fps=fps, short_side=self.config.analysis_side)

    def generate(self, video: Video, frames: Frames, *, seed: int, split: Split, count: int) -> Iterator[Sample]:
        """Yield up to `count` puzzles; fewer where draws repeat or break the gap. See `Task.generate`."""
        distinct = np.flatnonzero(np.diff(frames.times, prepend=-1.0) > 0)
        times = frames.times[distinct]
        if len(times) < self.config.window:
            reason = f"too short: {len(times)} frames at {frames.spec.fps:g} fps, a puzzle takes {self.config.window}"
            raise MediaError(video.path, "task", reason)
        described = GridDescriptor().describe(frames.pixels[distinct])
        kappa = self._threshold(video, described)
        seen: set[tuple[int, ...]] = set()
        for index in range(count):
            key = sample_key(self, split=split, seed=seed, source=video.identity, index=index)
            puzzle = self._draw(described, times, kappa, stream(key), seen)
            if puzzle is not None:
                seen.add(_signature(puzzle))
                fields = self._fields(puzzle, video, frames.spec, times, described)
                fields["provenance"] |= {"kappa": kappa, "seed": seed, "index": index}
                yield Sample(id=f"{self.name}-{split}-{key[:16]}", task=self.name, split=split, **fields)
        if not seen:
            raise MediaError(video.path, "task", f"no puzzle keeps the gap of {self._gap(kappa):g} between its frames")

    def score(self, reply: str, sample: Sample) -> Score:
        """Return the score of a reply; an invalid one has 0 in every raw part, corrected like any other 0."""
        count, pool = len(sample.answer), int(sample.evidence["pool"])
        text = answer_text(reply)
        parsed = None if text is None else parse_indices(text, count, pool)
        chances = ordered_chance(count, pool)
        parts = dict.fromkeys(chances, 0.0) if parsed is None else ordered_parts(parsed, sample.answer, pool)
        skill = {f"{name}_corrected": corrected(part, chances[name]) for name, part in parts.items()}
        return Score(value=parts["two_part"], parts=parts | skill, valid=parsed is not None, parsed=parsed)

    def chance(self, sample: Sample) -> dict[str, float]:
        """Return the enumerated chance of every part and of `value`; a corrected part has 0."""
        chances = ordered_chance(len(sample.answer), int(sample.evidence["pool"]))
        return chances | {f"{name}_corrected": 0.0 for name in chances} | {"value": chances["two_part"]}

    def gold(self, sample: Sample) -> str:
        """Return the right numbers in time order, such as `4, 1, 5`."""
        return ", ".join(map(str, sample.answer))

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return two shortcuts: the smoothest chain of K candidates, with and without the frames beside the gap.

        * order_by_similarity: maximises the summed similarity from the last frame before the gap through the chain to
          the first frame after it.
        * context_free: the same among candidates only; a chain and its reverse tie, and the one with the smaller first
          number is taken.
        """
        parts = [part for message in sample.messages for part in message.parts]
        before, after = (media(part) for part in parts if isinstance(part, Clip))
        pool = np.concatenate([media(part) for part in parts if isinstance(part, Image)])
        described = GridDescriptor().describe(np.concatenate([before[-1:], after[:1], pool]))
        similar = (described @ described.T).astype(np.float64)
        ends, among = similar[:2, 2:], similar[2:, 2:]
        count = len(sample.answer)
        return {
            "order_by_similarity": _reply(smoothest(among, count, ends[0], ends[1])),
            "context_free": _reply(smoothest(among, count)),
        }

    def _gap(self, kappa: float) -> float:
        return 1 - kappa if self.config.gap is None else self.config.gap

    def _threshold(self, video: Video, described: NDArray[np.float32]) -> float:
        """Return kappa, as set or the strictest that leaves a whole window from the first frame on."""
        config = self.config
        kept = 0
        for kappa in KAPPAS if config.kappa is None else (config.kappa,):
            kept = len(deduplicate(described, kappa, against=config.against, limit=config.window))
            if kept == config.window:
                return kappa
        reason = f"static: {kept} of {len(described)} frames differ (similarity at most {kappa:g}), a puzzle takes {config.window}"
        raise MediaError(video.path, "task", reason)

    def _draw(
        self,
        described: NDArray[np.float32],
        times: NDArray[np.float64],
        kappa: float,
        rng: np.random.Generator,
        seen: set[tuple[int, ...]],
    ) -> Puzzle | None:
        """Return a puzzle not seen before that keeps the gap, or None after a few tries."""
        for _ in range(_TRIES):
            puzzle = self._cut(self._window(described, kappa, rng), times, rng)
            if puzzle is None or _signature(puzzle) in seen:
                continue
            shown = described[puzzle.before + puzzle.after + puzzle.pool]
            similar = shown @ described[puzzle.pool].T
            similar[np.arange(len(shown))[-len(puzzle.pool) :], np.arange(len(puzzle.pool))] = -1
            if similar.max() <= 1 - self._gap(kappa) + 1e-6:
                return puzzle
        return None

    def _window(self, described: NDArray[np.float32], kappa: float, rng: np.random.Generator) -> list[int]:
        """Return the places of a window of distinct frames from a random start on; the first frame always works."""
        size = self.config.window
        start = len(described) - size + 1
        while True:
            start = int(rng.integers(start)) if start > 0 else 0
            kept = deduplicate(described, kappa, against=self.config.against, start=start, limit=size)
            if len(kept) == size or start == 0:
                return kept

    def _cut(self, window: list[int], times: NDArray[np.float64], rng: np.random.Generator) -> Puzzle | None:
        """Return the window cut into context, margins, hidden run and distractors; None where too few are near.

        Distractors never lie between the two context frames beside the gap, so no distractor fills it.
        """
        config = self.config
        shown_before = int(rng.integers(config.min_before, config.frames - config.hidden - config.min_after + 1))
        taken_before = int(rng.integers(config.distractors + 1))
        first = shown_before + taken_before + config.margin
        stop = first + config.hidden
        before, hidden, after = window[: first - config.margin], window[first:stop], window[stop + config.margin :]
        reach = np.inf if config.neighbourhood_seconds is None else config.neighbourhood_seconds
        near_before = [place for place in before[:-1] if times[place] >= times[hidden[0]] - reach]
        near_after = [place for place in after[1:] if times[place] <= times[hidden[-1]] + reach]
        taken_after = config.distractors - taken_before
        if len(near_before) < taken_before or len(near_after) < taken_after:
            return None
        chosen = {*rng.permutation(near_before)[:taken_before], *rng.permutation(near_after)[:taken_after]}
        distractors = sorted(int(place) for place in chosen)
        pool = [int(place) for place in rng.permutation(hidden + distractors)]
        left, right = ([place for place in side if place not in chosen] for side in (before, after))
        return Puzzle(left, hidden, right, pool)

    def _fields(
        self, puzzle: Puzzle, video: Video, spec: FrameSpec, times: NDArray[np.float64], described: NDArray[np.float32]
    ) -> dict[str, Any]:
        def at(places: list[int]) -> list[float]:
            return [float(time) for time in times[places]]

        shown = FrameSpec(fps=spec.fps, size=self._size(video))
        before, after, pool = at(puzzle.before), at(puzzle.after), at(puzzle.pool)
        parts = question(video.identity, shown, before, after, pool, len(puzzle.hidden))
        among = described[puzzle.pool] @ described[puzzle.pool].T
        edges = described[[puzzle.before[-1], puzzle.after[0]]] @ described[[puzzle.hidden[0], puzzle.hidden[-1]]].T
        return {
            "messages": (Message("user", parts),),
            "answer": [puzzle.pool.index(place) + 1 for place in puzzle.hidden],
            "evidence": {
                "hidden_times": at(puzzle.hidden),
                "candidate_times": pool,
                "context_times": [before, after],
                "pool": len(pool),
            },
            "facets": {"hidden": len(puzzle.hidden), "distractors": len(pool) - len(puzzle.hidden)},
            "provenance": {
                "source": video.identity,
                "fps": spec.fps,
                "similarities": {
                    "candidates": round(float((among - 2 * np.eye(len(pool))).max()), 4),
                    "edges": [round(float(edges[0, 0]), 4), round(float(edges[1, 1]), 4)],
                },
            },
        }

    def _size(self, video: Video) -> tuple[int, int]:
        config = self.config
        if config.size is not None:
            return config.size
        return model_size(video.height, video.width, config.short_side, config.max_pixels, config.multiple)


def question(
    video: str, spec: FrameSpec, before: list[float], after: list[float], pool: list[float], count: int
) -> tuple[Part, ...]:
    """Return the prompt: the context on both sides as clips with their times, the candidates as images without.

    Args:
        video: Identity of the source.
        spec: At the model's size.
        before: Times in seconds of the frames before the gap; `after` those behind it; `pool` the candidates.
        after: See `before`.
        pool: See `before`; candidate 1 first.
        count: K.
    """
    parts: list[Part] = [
        Text(f"Before the gap, {before[0]:.1f} to {before[-1]:.1f} s:\n"),
        Clip(video=video, spec=spec, times=tuple(before)),
        Text(f"\nAfter the gap, {after[0]:.1f} to {after[-1]:.1f} s:\n"),
        Clip(video=video, spec=spec, times=tuple(after)),
        Text(f"\nWhich {count} of these {len(pool)} candidates fill the gap, in time order?"),
    ]
    for number, time in enumerate(pool, 1):
        parts += [Text(f"\nCandidate {number}: "), Image(video=video, spec=spec, time=time)]
    return (*parts, Text(f"\nAnswer with {count} candidate numbers."))


def model_size(height: int, width: int, short_side: int | None, max_pixels: int, multiple: int) -> tuple[int, int]:
    """Return (height, width) in multiples of `multiple`, the aspect kept as well as they allow, within `max_pixels`.

    >>> model_size(720, 1280, None, 128 * 28 * 28, 28)
    (224, 420)
    >>> model_size(720, 1280, 28, 128 * 28 * 28, 28)
    (28, 56)
    """
    scale = (max_pixels / (height * width)) ** 0.5 if short_side is None else short_side / min(height, width)
    high, wide = (max(1, round(side * scale / multiple)) for side in (height, width))
    while high * wide * multiple * multiple > max_pixels and max(high, wide) > 1:
        high, wide = (high - 1, wide) if high > wide else (high, wide - 1)
    return high * multiple, wide * multiple


def smoothest(
    among: NDArray[np.float64],
    count: int,
    first: NDArray[np.float64] | None = None,
    last: NDArray[np.float64] | None = None,
) -> tuple[int, ...]:
    """Return the chain of `count` places whose neighbours are most similar in sum; the smallest one wins a tie.

    Args:
        among: (P, P) similarities.
        count: Length of the chain, at most P.
        first: (P,) what a place adds when it comes first; None adds nothing.
        last: (P,) the same for the last.
    """
    chains = _chains(len(among), count)
    total = np.zeros(len(chains))
    for left, right in zip(chains.T[:-1], chains.T[1:], strict=True):
        total += (among[left, right] + among[right, left]) / 2
    total += 0 if first is None else first[chains[:, 0]]
    total += 0 if last is None else last[chains[:, -1]]
    return tuple(int(place) for place in chains[int(np.argmax(total.round(5)))])


@lru_cache(maxsize=8)
def _chains(pool: int, count: int) -> NDArray[np.int8]:
    return np.array(list(permutations(range(pool), count)), dtype=np.int8)


def _reply(places: tuple[int, ...]) -> str:
    return ", ".join(str(place + 1) for place in places)


def _signature(puzzle: Puzzle) -> tuple[int, ...]:
    return (*puzzle.hidden, -1, *sorted(puzzle.pool))
