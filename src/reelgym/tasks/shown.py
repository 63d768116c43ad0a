"""How a gap and its candidates are shown: the prompt, and the size of its frames."""

from __future__ import annotations

from collections.abc import Sequence

from reelgym.data.messages import Clip, Image, Part, Text
from reelgym.video import FrameSpec


def question(
    video: str, spec: FrameSpec, context: tuple[Sequence[float], Sequence[float]], pool: Sequence[float], count: int
) -> tuple[Part, ...]:
    """Return the prompt: the context on both sides as clips with their times, the candidates as images without.

    Args:
        video: Identity of the source.
        spec: At the model's size.
        context: Times in seconds of the frames before the gap and after it, at least one each.
        pool: Times of the candidates; candidate 1 first.
        count: How many of them fill the gap.
    """
    before, after = context
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

    Args:
        height: Of the video, in pixels; `width` likewise.
        width: See `height`.
        short_side: Wanted shorter side in pixels; None is as large as allowed.
        max_pixels: Largest area.
        multiple: One merged patch of the model.

    >>> model_size(720, 1280, None, 128 * 28 * 28, 28)
    (224, 420)
    >>> model_size(720, 1280, 28, 128 * 28 * 28, 28)
    (28, 56)
    """
    scale = (max_pixels / (height * width)) ** 0.5 if short_side is None else short_side / min(height, width)
    high, wide = (max(1, round(side * scale / multiple)) for side in (height, width))
    while high * wide * multiple * multiple > max_pixels and max(high, wide) > 1:
        # Where both are equal the side that is shorter in the video gives way: landscape stays landscape.
        cut_height = high > wide or (high == wide and width >= height)
        high, wide = (high - 1, wide) if cut_height else (high, wide - 1)
    return high * multiple, wide * multiple
