"""What V-STaR's questions need beside its columns: whole seconds, boxes in thousandths, and both as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reelgym.synthesis.labelled.record import BadRecord

_NEEDED = ("frame_count", "fps", "width", "height", "timestamps", "bboxes")
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def track_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new columns of a row.

    `@length`, its seconds; `@first` and `@last`, the whole seconds within its interval; `@track`, {"boxes": [[second,
    box], ...]}; `@count`, how many; `@boxes`, them as text without their seconds; `@duration`, the published class.

    Raises:
        BadRecord: It lacks columns, its sizes, times or boxes cannot be read, or there is no box.
    """
    if missing := [name for name in _NEEDED if name not in row]:
        raise BadRecord(f"lacks {', '.join(missing)}")
    try:
        length = round(row["frame_count"] / row["fps"], 2)
        width, height = float(row["width"]), float(row["height"])
        start, stop = row["timestamps"]
        scales = (width, height, width, height)
        track = [
            [round(box["timestamp"]), [1000 * box[side] / scale for side, scale in zip(_SIDES, scales, strict=True)]]
            for box in row["bboxes"]
        ]
        first, last = math.ceil(start), math.floor(stop)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise BadRecord("its size, times or boxes cannot be read") from None
    if not track or any(not left < right or not top < bottom for _, (left, top, right, bottom) in track):
        raise BadRecord("has no boxes" if not track else "one of its boxes has no area")
    return {
        "@length": length,
        "@first": first,
        "@last": last,
        "@track": {"boxes": track},
        "@count": len(track),
        "@boxes": "; ".join(str([round(side) for side in box]) for _, box in track),
        "@duration": "short" if length < 60 else "medium" if length < 180 else "long",
    }
