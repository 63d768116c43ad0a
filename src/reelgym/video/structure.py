"""What is known of a video before any question is asked: cuts, black and still spans, returns, bars, overlays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reelgym.video.overlays import Overlay, overlays
from reelgym.video.packets import Packets
from reelgym.video.shots import sampled_cuts
from reelgym.video.spans import Span, black_spans, letterbox, luma, returning, static_spans
from reelgym.video.types import Frames

VERSION = 1
"""Raised whenever the same frames would give another structure."""

DETAIL_FRAMES = 96
"""Frames that overlays and bars are looked for in, spread over the video."""


@dataclass(frozen=True, kw_only=True)
class Structure:
    """The structure of one video; times in seconds after its first frame.

    Attributes:
        spacing: Seconds between the sampled frames it was found from: nothing shorter is seen.
        cuts: First moment of every shot but the first; at most `spacing` late.
        black: [start, stop) where nothing is to be seen.
        static: [start, stop) where nothing changes.
        returns: (time, earlier time) of views that come back.
        bars: Black bars as shares of height (top, bottom) and width (left, right).
        overlays: Clocks, progress bars, logos, captions.
        light: Rank correlation of brightness with time, -1 to 1: near either end, brightness alone tells the order.
    """

    spacing: float
    cuts: tuple[float, ...] = ()
    black: tuple[Span, ...] = ()
    static: tuple[Span, ...] = ()
    returns: tuple[tuple[float, float], ...] = ()
    bars: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    overlays: tuple[Overlay, ...] = ()
    light: float = 0.0

    @property
    def clock(self) -> bool:
        """Whether something drawn over the picture tells the order of frames."""
        return any(overlay.leaks_order for overlay in self.overlays)

    def facets(self, times: Sequence[float]) -> dict[str, int]:
        """Return what a question that shows frames at these times runs into.

        * crosses_cut: how many cuts lie between its first and its last frame.
        * static: how many of its frames lie in a stretch where nothing changes, beyond the first of each stretch.
        * black: how many of its frames show nothing.
        * clock: 1 where a clock or a progress bar is burned in.
        """
        shown = sorted(set(times))
        if not shown:
            return {"crosses_cut": 0, "static": 0, "black": 0, "clock": int(self.clock)}
        still = [sum(start <= time < stop for time in shown) for start, stop in self.static]
        return {
            "crosses_cut": sum(shown[0] < cut <= shown[-1] for cut in self.cuts),
            "static": sum(max(0, count - 1) for count in still),
            "black": sum(start <= time < stop for time in shown for start, stop in self.black),
            "clock": int(self.clock),
        }

    def to_json(self) -> dict[str, Any]:
        """Return the structure as JSON values."""
        return {
            "version": VERSION,
            "spacing": self.spacing,
            "cuts": list(self.cuts),
            "black": [list(span) for span in self.black],
            "static": [list(span) for span in self.static],
            "returns": [list(pair) for pair in self.returns],
            "bars": list(self.bars),
            "overlays": [overlay.to_json() for overlay in self.overlays],
            "light": self.light,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Structure:
        """Return the structure written by `to_json`."""
        top, bottom, left, right = value["bars"]
        return Structure(
            spacing=value["spacing"],
            cuts=tuple(value["cuts"]),
            black=tuple((start, stop) for start, stop in value["black"]),
            static=tuple((start, stop) for start, stop in value["static"]),
            returns=tuple((time, earlier) for time, earlier in value["returns"]),
            bars=(top, bottom, left, right),
            overlays=tuple(Overlay.from_json(overlay) for overlay in value["overlays"]),
            light=value["light"],
        )


def structure(frames: Frames, packets: Packets, detail: Frames | None = None) -> Structure:
    """Return the structure of a video from what was decoded anyway.

    Args:
        frames: Sampled at a steady rate, any size.
        packets: Of the same file, or `Packets.none()`.
        detail: The same video at about `overlays.SIDE` pixels, about `DETAIL_FRAMES` of them, for what is small;
            None takes `frames`.
    """
    close = frames if detail is None else detail
    steps = np.diff(np.unique(frames.times))
    return Structure(
        spacing=round(float(np.median(steps)), 6) if len(steps) else 0.0,
        cuts=tuple(round(cut, 6) for cut in sampled_cuts(frames, packets)),
        black=tuple(black_spans(frames)),
        static=tuple(static_spans(frames)),
        returns=tuple(returning(frames)),
        bars=letterbox(close.pixels),
        overlays=tuple(overlays(close)),
        light=_trend(frames),
    )


def thinned(frames: Frames, most: int = DETAIL_FRAMES) -> Frames:
    """Return every n-th frame so that at most `most` are left."""
    every = max(1, -(-len(frames) // most))
    return Frames(frames.pixels[::every], frames.times[::every], frames.spec, frames.warnings)


def _trend(frames: Frames) -> float:
    """Return Spearman's rank correlation between brightness and time, 0 for fewer than three frames."""
    if len(frames) < 3:
        return 0.0
    bright = np.array([luma(picture[None]).mean() for picture in frames.pixels])
    if np.ptp(bright) < 1.0:
        return 0.0
    ranks = np.argsort(np.argsort(bright, kind="stable"), kind="stable").astype(np.float64)
    return round(float(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]), 3)
