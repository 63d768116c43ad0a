"""Small decisions about sampling: which rate, which size, how many instants."""

from __future__ import annotations

from reelgym.errors import RequestError
from reelgym.video.clock import MICRO, inside, instants, seconds_to_micro
from reelgym.video.types import FrameSpec

RATES = (1.0, 2.0, 4.0, 8.0)
"""What `--fps auto` chooses from, in frames per second; our choice."""


def sample_times(fps: float, duration_seconds: float) -> list[float]:
    """Return the instants k / fps at which `read` takes frames from a video of this duration, in seconds; never empty.

    They lie in [0, duration), and before its last millisecond, which may be rounding.

    >>> sample_times(2, 1.5)
    [0.0, 0.5, 1.0]
    """
    stop = max(inside(0, seconds_to_micro(duration_seconds)), 1)
    return [t / MICRO for t in instants(FrameSpec(fps=fps, stop_seconds=stop / MICRO))]


def auto_fps(duration_seconds: float, wanted: int) -> float:
    """Return the smallest rate of 1, 2, 4, 8 that gives a clip of this duration `wanted` instants, else 8.

    The rule of `--fps auto`: MVP decodes at 1 frame per second, which leaves nothing of a 10 s clip to choose from; so
    short clips are read faster, and the rate is recorded. Ours, not a paper's.

    >>> auto_fps(60.0, 32), auto_fps(10.0, 32), auto_fps(1.0, 32)
    (1.0, 4.0, 8.0)
    """
    return next((rate for rate in RATES if len(sample_times(rate, duration_seconds)) >= wanted), RATES[-1])


def fit(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return (height, width) scaled so that the shorter side is `short_side`, the other rounded to the nearest pixel.

    >>> fit(1080, 1920, 224), fit(1920, 1080, 224)
    ((224, 398), (398, 224))
    """
    if min(height, width, short_side) < 1:
        raise RequestError(
            f"cannot fit {height} x {width} to a short side of {short_side}: all must be at least 1 pixel"
        )
    short = min(height, width)
    return _scaled(height, short_side, short), _scaled(width, short_side, short)


def _scaled(side: int, target: int, short: int) -> int:
    """Return side * target / short, rounded half up, in whole numbers."""
    return (2 * side * target + short) // (2 * short)
