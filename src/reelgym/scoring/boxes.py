"""Scores of one box per second: intersection over union at the seconds that are annotated.

Reference: V-STaR (arXiv 2503.11495): the mean over annotated seconds, one without a box counting 0, and the share of
them that reaches a threshold. Where we differ: its script takes the best of several boxes of a second and mends broken
JSON; here a second has one box, and a reply that was cut off holds no answer.

A box is (left, top, right, bottom) in thousandths of the picture; a track is a list of (second, box).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reelgym.scoring.lenient import final_text

Box = tuple[float, float, float, float]
Track = list[tuple[int, Box]]

THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)

_LONGEST, _TRIES = 20_000, 40
_SECOND = re.compile(r"\s*([0-9]{1,6})(?:\.0{1,6})?\s*(?:s|sec|seconds?)?\s*")
_FENCE = re.compile(r"\s*```(?:json)?\s*(.*?)\s*```\s*", re.DOTALL)


def parse_boxes(text: str) -> Track | None:
    """Return the track that a text is and nothing else: a JSON object from whole seconds to boxes.

    >>> parse_boxes('{"3": [0, 0, 500, 1000]}'), parse_boxes('{"3": [0, 0]}')
    ([(3, (0.0, 0.0, 500.0, 1000.0))], None)
    """
    if len(text) > _LONGEST:
        return None
    fenced = _FENCE.fullmatch(text)
    try:
        held = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return None
    track = _track(held)
    return track if track and len(track) == len(held) else None


def find_boxes(reply: str) -> Track | None:
    """Return the track of the last JSON object, or list of them, in a reply; what is no box in it is left out."""
    text = final_text(reply)
    if not text or len(text) > _LONGEST:
        return None
    decoder, at, found = json.JSONDecoder(), 0, list[Track]()
    for _ in range(_TRIES):
        start = re.compile(r"[{\[]").search(text, at)
        if start is None:
            break
        try:
            held, at = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            at = start.end()
            continue
        if isinstance(held, list) and all(isinstance(one, Mapping) for one in held):
            held = {key: value for one in held for key, value in one.items()}
        if track := _track(held):
            found.append(track)
    return found[-1] if found else None


def box_parts(reply: Sequence[tuple[int, Box]], truth: Sequence[tuple[int, Box]]) -> dict[str, float]:
    """Return `viou`, the mean over the annotated seconds, and `ap_0.1` to `ap_0.9`, the share of them that reaches it.

    >>> box_parts([(3, (0, 0, 10, 10))], [(3, (0, 0, 10, 5)), (4, (0, 0, 10, 5))])["viou"]
    0.25
    """
    said = dict(reply)
    shared = [_iou(said[second], box) if second in said else 0.0 for second, box in truth]
    reaches = {f"ap_{least}": sum(one >= least for one in shared) / len(shared) for least in THRESHOLDS}
    return {"viou": sum(shared) / len(shared)} | reaches


def written(track: Sequence[tuple[int, Sequence[float]]]) -> str:
    """Return a track as JSON text; the last box of a second stands."""
    return json.dumps({str(second): [round(side, 3) for side in box] for second, box in track})


def _track(held: Any) -> Track | None:
    if not isinstance(held, Mapping):
        return None
    pairs = [(_SECOND.fullmatch(str(key)), _box(value)) for key, value in held.items()]
    track = [(int(second[1]), box) for second, box in pairs if second and box]
    return track if len({second for second, _ in track}) == len(track) else None


def _box(value: Any) -> Box | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    is_box = isinstance(value, list) and len(value) == 4
    if not is_box or not all(type(side) in (int, float) and abs(side) < 1e7 for side in value):
        return None
    left, top, right, bottom = map(float, value)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _iou(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)
