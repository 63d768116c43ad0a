"""Masked video prediction: choose the hidden frames among look-alikes and put them in order.

What it does. Keeps N visually distinct frames of a video, hides a run of K of them, and asks which K of K + l
candidates fill the gap, in time order. The l distractors are other frames of the same neighbourhood.
Why. The video itself is the label: any unlabelled video gives a question with one checkable answer that needs both
perception (which frames belong) and time (in what order).
Example. Context at 0, 1, 2 and 6, 7 s; candidates 1..5; answer `4, 1, 5`.
How it is scored. `scoring.ordered`: exact, selection, order, position, displacement, lcs and two mixed shapes, each raw
and corrected for chance; `value` is the two-part shape (`reward=smooth`) or exact (`reward=strict`). An invalid reply
scores 0 on every raw part. `level=1` to `5` sets K, l, gap, margin and decoys together: see `tasks.ladder`.
Limits. Frames that look alike far apart, burned-in clocks and cuts are shortcuts or ambiguities; `inspect` reports
what similarity alone solves. At `--fps auto` order_by_similarity and boundary_matching earn 0.26 and 0.30 on 20 videos
of the world and 0.42 and 0.37 on 32 real clips; half of the way from chance to 1 is 0.54. With 16 frames and no margin
they earned 0.78 and 0.73, 0.59 and 0.57: a chain of similar frames then runs through the gap.
References. MVP: Enhancing Video Large Language Models via Self-supervised Masked Video Prediction, arXiv 2601.03781.
Construction as in its public description: a fixed rate, a random start, greedy de-duplication against the last kept
frame, N kept, a continuous hidden run, distractors from the same neighbourhood, a shuffled pool. Its numbers and its
reward were not published: every default here is ours, and no result of the paper is reproduced. Also ours:
de-duplication against all kept frames, context on both sides, the margin, the minimum gap, the automatic threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from reelgym.data.messages import Clip, Image, Message
from reelgym.data.sample import Sample, Split
from reelgym.errors import MediaError, RequestError
from reelgym.scoring import Score, answer_text, ordered_chance, ordered_parts, parse_indices
from reelgym.scoring.graded import REWARDS, graded_chance, graded_score
from reelgym.tasks.base import MediaReader, Task, sample_key, stream, too_short
from reelgym.tasks.chains import smoothest
from reelgym.tasks.easing import one_distractor_less
from reelgym.tasks.ladder import expand
from reelgym.tasks.shown import model_size, question
from reelgym.video import Frames, FrameSpec, GridDescriptor, Video, deduplicate

KAPPAS = (0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)
"""What the automatic threshold tries, strictest first. Above the last one a video counts as static. Ours."""

_TRIES = 8
_ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True)
class MVPConfig:
    """The numbers of the construction. All defaults are ours: the paper's were not published."""

    reward: Literal["strict", "smooth"] = "smooth"
    """What `Score.value` is: `exact`, or the partial credit of `two_part`. Both are always in the parts."""
    fps: float = 1.0
    """Frames per second taken from the video; `synth --fps` overrides it. 1 is the paper's."""
    frames: int = 12
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
    margin: int = 2
    """Distinct frames on each side between context and hidden run that nobody sees: against boundary matching."""
    gap: float | None = None
    """Least distance (1 - similarity) of a candidate from the others and from the context. None: 1 - kappa."""
    decoys: Literal["scattered", "run"] = "scattered"
    """Distractors are drawn one by one (the paper), or as one run like the hidden one (ours): in a scattered pool the
    hidden frames are the ones most alike, which gives them away without the context."""
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
        if self.reward not in REWARDS:
            raise RequestError(f"reward={self.reward!r}: 'strict' or 'smooth'")
        pool = self.hidden + self.distractors
        if self.hidden < 1 or self.distractors < 0 or not 2 <= pool <= 12:
            raise RequestError(
                f"hidden={self.hidden}, distractors={self.distractors}: hide at least 1, and make a pool of 2 to 12"
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
        if self.decoys not in ("scattered", "run"):
            raise RequestError(f"decoys={self.decoys!r}: 'scattered' or 'run'")
        if self.kappa is not None and not 0 < self.kappa <= 1:
            raise RequestError(f"kappa={self.kappa} is outside (0, 1]: give a similarity, or leave it out")
        if self.gap is not None and not 0 <= self.gap < 1:
            raise RequestError(f"gap={self.gap} is outside [0, 1): give a distance, or leave it out")

    @property
    def window(self) -> int:
        """Distinct frames that one puzzle takes: N, the distractors and both margins."""
        return self.frames + self.distractors + 2 * self.margin


@dataclass(frozen=True, eq=False)
class Film:
    """The frames of one video that differ in time, (F,) of them, and the threshold above which two count as one."""

    times: NDArray[np.float64]
    described: NDArray[np.float32]
    kappa: float


@dataclass(frozen=True)
class Puzzle:
    """Places of one puzzle in its film, each ascending but `pool`, which is shuffled."""

    before: list[int]
    hidden: list[int]
    after: list[int]
    pool: list[int]

    @property
    def signature(self) -> tuple[int, ...]:
        """What makes two puzzles of one film the same question, whatever the order of the pool."""
        return (*self.hidden, *sorted(self.pool))


class MVP(Task):
    """Choose the K hidden frames of a video among K + l candidates, in time order (arXiv 2601.03781)."""

    name: ClassVar[str] = "mvp"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = MVPConfig
    config: MVPConfig

    @classmethod
    def expand(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings with `level` replaced by what it stands for; see `tasks.ladder`."""
        return expand(settings)

    def wanted_frames(self) -> int:
        """Return three windows: room for frames that turn out to look alike."""
        return 3 * self.config.window

    def spec(self, fps: float) -> FrameSpec:
        """Return the spec at which frames are compared; prompts name the same instants at the model's size."""
        return FrameSpec(fps=fps, short_side=self.config.analysis_side)

    def shown(self, video: Video, fps: float) -> FrameSpec:
        """Return the spec that the prompts of a video name."""
        config = self.config
        fitted = model_size(video.height, video.width, config.short_side, config.max_pixels, config.multiple)
        return FrameSpec(fps=fps, size=config.size or fitted)

    def generate(self, video: Video, frames: Frames, *, seed: int, split: Split, count: int) -> Iterator[Sample]:
        """Yield up to `count` puzzles; fewer where draws repeat or break the gap. See `Task.generate`."""
        film = self._film(video, frames)
        seen: set[tuple[int, ...]] = set()
        for index in range(count):
            key = sample_key(self, split=split, seed=seed, source=video.identity, index=index)
            puzzle = self._draw(film, stream(key), seen)
            if puzzle is None:
                continue
            seen.add(puzzle.signature)
            times = {name: [float(film.times[i]) for i in places] for name, places in asdict(puzzle).items()}
            shown = self.shown(video, frames.spec.fps or self.config.fps)
            context = times["before"], times["after"]
            parts = question(video.identity, shown, context, times["pool"], len(puzzle.hidden))
            yield Sample(
                id=f"{self.name}-{split}-{key[:16]}",
                task=self.name,
                split=split,
                messages=(Message("user", parts),),
                answer=[puzzle.pool.index(place) + 1 for place in puzzle.hidden],
                evidence={
                    "hidden_times": times["hidden"],
                    "candidate_times": times["pool"],
                    "context_times": list(context),
                    "pool": len(puzzle.pool),
                    "reward": self.config.reward,
                },
                facets={"hidden": len(puzzle.hidden), "distractors": len(puzzle.pool) - len(puzzle.hidden)},
                provenance={"source": video.identity, "fps": shown.fps, "seed": seed, "index": index}
                | {"kappa": film.kappa, "similarities": _similarities(puzzle, film)},
            )
        if not seen:
            raise MediaError(video.path, "task", f"no puzzle keeps the gap of {self._gap(film):g} between its frames")

    def score(self, reply: str, sample: Sample) -> Score:
        """Return the score of a reply; an invalid one has 0 in every raw part, corrected like any other 0."""
        count, pool = len(sample.answer), int(sample.evidence["pool"])
        text = answer_text(reply)
        parsed = None if text is None else parse_indices(text, count, pool)
        parts = None if parsed is None else ordered_parts(parsed, sample.answer, pool)
        return graded_score(parts, ordered_chance(count, pool), _paid(sample), parsed)

    def chance(self, sample: Sample) -> dict[str, float]:
        """Return the enumerated chance of every part and of `value`; a corrected part has 0."""
        return graded_chance(ordered_chance(len(sample.answer), int(sample.evidence["pool"])), _paid(sample))

    def gold(self, sample: Sample) -> str:
        """Return the right numbers in time order, such as `4, 1, 5`."""
        return ", ".join(map(str, sample.answer))

    def eased(self, sample: Sample) -> Sample | None:
        """Return the puzzle with one distractor less, None where none is left."""
        return one_distractor_less(sample)

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

    def _gap(self, film: Film) -> float:
        return 1 - film.kappa if self.config.gap is None else self.config.gap

    def _film(self, video: Video, frames: Frames) -> Film:
        """Return the frames without repeats, and kappa: as set, or the strictest that leaves a whole window.

        Raises:
            MediaError: The video is too short or too static for one window.
        """
        window = self.config.window
        fresh = np.flatnonzero(np.diff(frames.times, prepend=-1.0) > 0)
        if len(fresh) < window:
            fps = float(frames.spec.fps or 1)
            raise too_short(video, fps, len(fresh), (window, self.wanted_frames()), "puzzle")
        described = GridDescriptor().describe(frames.pixels[fresh])
        kept = 0
        for kappa in KAPPAS if self.config.kappa is None else (self.config.kappa,):
            kept = len(deduplicate(described, kappa, against=self.config.against, limit=window))
            if kept == window:
                return Film(frames.times[fresh], described, kappa)
        reason = f"static: {kept} of {len(fresh)} frames differ (kappa {kappa:g}), a puzzle takes {window}"
        raise MediaError(video.path, "task", reason)

    def _draw(self, film: Film, rng: np.random.Generator, seen: set[tuple[int, ...]]) -> Puzzle | None:
        """Return a puzzle not seen before that keeps the gap, or None after a few tries."""
        for _ in range(_TRIES):
            puzzle = self._cut(film, self._window(film, rng), rng)
            if puzzle is None or puzzle.signature in seen:
                continue
            if _closest(puzzle, film) <= 1 - self._gap(film) + _ROUNDING:
                return puzzle
        return None

    def _window(self, film: Film, rng: np.random.Generator) -> list[int]:
        """Return the places of a window of distinct frames from a random start on; the first frame always works."""
        size = self.config.window
        start = len(film.times) - size + 1
        while True:
            start = int(rng.integers(start)) if start > 0 else 0
            kept = deduplicate(film.described, film.kappa, against=self.config.against, start=start, limit=size)
            if len(kept) == size or start == 0:
                return kept

    def _cut(self, film: Film, window: list[int], rng: np.random.Generator) -> Puzzle | None:
        """Return the window cut into context, margins, hidden run and distractors; None where too few are near.

        Distractors never lie between the two context frames beside the gap, so no distractor fills it.
        """
        config = self.config
        shown_before = int(rng.integers(config.min_before, config.frames - config.hidden - config.min_after + 1))
        if config.decoys == "run":
            taken_before = config.distractors * int(rng.integers(2))
        else:
            taken_before = int(rng.integers(config.distractors + 1))
        first = shown_before + taken_before + config.margin
        stop = first + config.hidden
        before, hidden, after = window[: first - config.margin], window[first:stop], window[stop + config.margin :]
        reach = np.inf if config.neighbourhood_seconds is None else config.neighbourhood_seconds
        near_before = [place for place in before[:-1] if film.times[place] >= film.times[hidden[0]] - reach]
        near_after = [place for place in after[1:] if film.times[place] <= film.times[hidden[-1]] + reach]
        taken_after = config.distractors - taken_before
        if len(near_before) < taken_before or len(near_after) < taken_after:
            return None
        distractors = self._some(near_before, taken_before, rng) + self._some(near_after, taken_after, rng)
        pool = [int(place) for place in rng.permutation(hidden + distractors)]
        left, right = ([place for place in side if place not in distractors] for side in (before, after))
        return Puzzle(left, hidden, right, pool)

    def _some(self, places: list[int], count: int, rng: np.random.Generator) -> list[int]:
        """Return `count` of the places: neighbours in a run, or any."""
        if self.config.decoys == "run":
            start = int(rng.integers(len(places) - count + 1))
            return places[start : start + count]
        return [int(place) for place in rng.permutation(places)[:count]]


def _paid(sample: Sample) -> str:
    """Return the part that is the value; samples made before there was a choice have none noted."""
    return "exact" if sample.evidence.get("reward") == "strict" else "two_part"


def _closest(puzzle: Puzzle, film: Film) -> float:
    """Return the largest similarity between a candidate and any other frame of the puzzle."""
    context = puzzle.before + puzzle.after
    similar = film.described[puzzle.pool] @ film.described[puzzle.pool + context].T
    np.fill_diagonal(similar, -1)
    return float(similar.max())


def _similarities(puzzle: Puzzle, film: Film) -> dict[str, float]:
    """Return how alike the frames on the two sides of each edge of the gap are, and the closest pair of a candidate."""
    rows = film.described
    left = float(rows[puzzle.before[-1]] @ rows[puzzle.hidden[0]])
    right = float(rows[puzzle.hidden[-1]] @ rows[puzzle.after[0]])
    return {"left": round(left, 4), "right": round(right, 4), "closest": round(_closest(puzzle, film), 4)}


def _reply(places: tuple[int, ...]) -> str:
    return ", ".join(str(place + 1) for place in places)
