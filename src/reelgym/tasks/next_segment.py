"""Next segment: which of several clips continues the video?

What it does. Shows a stretch of a video, leaves a gap, and offers n clips of equal length: what follows, and others of
the same video. Asks which one follows.
Why. To know what comes next takes how things were moving, not only how they looked.
Example. A ball on its way to the right wall; of four clips the third shows it coming back; answer `3`.
How it is scored. strict: the right number. smooth: for a wrong one, 0.5 times its closeness, which falls with its
distance in time from the right one (1 - |t - t_true| / the largest among the options).
Limits. In scenes that repeat, several clips may follow; clips that look the same as the right one are refused. What is
unforeseeable is not asked away.
References. Video Cloze Procedure, arXiv 2001.00294 (clips withheld and filled in again). VideoSSR (arXiv 2511.06281,
Appendix B.4) reports next-frame prediction without consistent gain; ours asks for a clip after a gap. Ours also: a
light of its own for each clip, and that the shortcut "most like the last frame shown" is balanced: the right clip's
rank by it is drawn evenly, as far as the video has such clips.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reelgym.data.messages import Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Draft, Numbered, Reel
from reelgym.tasks.timeline import ALIKE, JitteredConfig, alike, clip, clips_of, described, distinct, numbered, toned


@dataclass(frozen=True, kw_only=True)
class NextSegmentConfig(JitteredConfig):
    """The numbers of the construction; all are ours."""

    context_frames: int = 8
    """Frames shown of what comes before."""
    gap_frames: int = 4
    """Frames between the last one shown and the right clip that nobody sees."""
    options: int = 4
    """n: clips to choose from."""
    clip_frames: int = 4
    """Frames of each of them, neighbours in time."""
    balance: bool = True
    """Draw the others so that being most like the last frame shown does not give the right one away."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if self.context_frames < 1 or self.gap_frames < 0 or not 1 <= self.clip_frames <= 64:
            raise RequestError(
                f"context_frames={self.context_frames}, gap_frames={self.gap_frames}, clip_frames={self.clip_frames}: "
                "show at least 1 frame before, a gap of 0 or more, and clips of 1 to 64"
            )
        if not 2 <= self.options <= 12:
            raise RequestError(f"options={self.options}: give 2 to 12 clips to choose from")

    @property
    def span(self) -> int:
        """Frames from the first one shown to the last one of the right clip."""
        return self.context_frames + self.gap_frames + self.clip_frames


class NextSegment(Numbered):
    """Choose the clip that continues the video (after arXiv 2001.00294)."""

    name: ClassVar[str] = "next_segment"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = NextSegmentConfig
    config: NextSegmentConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least: room for all clips beside each other."""
        return self.config.span + 2 * self.config.clip_frames * (self.config.options - 1)

    def wanted_frames(self) -> int:
        """Return half more than the least: room to choose the others from."""
        return self.least * 3 // 2

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return one question, or None where two of its clips look the same or the others find no room."""
        config = self.config
        start = int(rng.integers(len(reel) - config.span + 1))
        context = list(range(start, start + config.context_frames))
        right = start + config.context_frames + config.gap_frames
        others = self._others(reel, context, right, rng)
        if others is None:
            return None
        starts = [int(s) for s in rng.permutation([right, *others])]
        clips = [list(range(s, s + config.clip_frames)) for s in starts]
        if not distinct(reel.rows[np.array(clips)]):
            return None
        apart = np.abs(reel.times[starts] - reel.times[right])
        shown = [
            clip(reel.identity, reel.shown, reel.seconds(places), edits=toned(rng, config.jitter)) for places in clips
        ]
        seconds = float(reel.times[right] - reel.times[context[-1]])
        asked = (
            f"\nWhich of these {len(clips)} clips of the same video begins {seconds:.1f} s after the end of the first "
            "one? Answer with its number."
        )
        return Draft(
            parts=(
                Text("What comes before:\n"),
                clip(reel.identity, reel.shown, reel.seconds(context)),
                *numbered("Clip", shown),
                Text(asked),
            ),
            answer=[starts.index(right) + 1],
            signature=(start, *sorted(starts)),
            evidence={"closeness": [float(1 - one / apart.max()) for one in apart]},
            facets={"options": len(clips), "gap_frames": config.gap_frames},
            times=(*reel.seconds(context), *(time for places in clips for time in reel.seconds(places))),
        )

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that follow no motion.

        * boundary_matching: the clip whose first frame is most like the last one shown before.
        * most_like_what_came_before: the clip whose mean picture is most like the mean of what came before.
        * by_brightness: the clip whose first frame comes nearest in light to the last one shown.
        * context_free: the clip whose mean picture is most like the mean of all others, without what came before.
        * first: always clip 1.
        """
        before, *clips = clips_of(sample)
        (rows,), pieces = described([before], media), np.stack(described(clips, media))
        means = pieces.mean(axis=1)
        last, firsts = media(before)[-1].mean(), np.array([media(part)[0].mean() for part in clips])
        others = [float(means[k] @ np.delete(means, k, axis=0).mean(axis=0)) for k in range(len(clips))]
        places = {
            "boundary_matching": int(np.argmax(pieces[:, 0] @ rows[-1])),
            "most_like_what_came_before": int(np.argmax(means @ rows.mean(axis=0))),
            "by_brightness": int(np.argmin(np.abs(firsts - last))),
            "context_free": int(np.argmax(others)),
            "first": 0,
        }
        return {name: str(place + 1) for name, place in places.items()}

    def _others(self, reel: Reel, context: list[int], right: int, rng: np.random.Generator) -> list[int] | None:
        """Return where the other clips start, apart from each other and from all that is shown; None for no room."""
        config = self.config
        each, count = config.clip_frames, config.options - 1
        taken = [(context[0], right + each)]
        similar = reel.rows @ reel.rows[context[-1]]
        more_like = int(rng.integers(count + 1))
        found: list[int] = []
        for number in range(count):
            free = [s for s in range(len(reel) - each + 1) if all(s + each <= a or s >= b for a, b in taken)]
            fitting = free
            if config.balance:
                fitting = [s for s in free if (similar[s] > similar[right]) == (number < more_like)] or free
            fitting = [s for s in fitting if alike(reel.rows[s : s + each], reel.rows[right : right + each]) < ALIKE]
            if not fitting:
                return None
            found.append(fitting[int(rng.integers(len(fitting)))])
            taken.append((found[-1], found[-1] + each))
        return found
