"""What the frames of a prompt show, as classes: the squares of the world's board."""

from __future__ import annotations

from collections.abc import Callable

from reelgym.data.messages import Clip, Image
from reelgym.data.sample import Sample

SQUARES = 64


def square_class(word: str) -> int:
    """Return the class of a square: `a1` is 0, `h1` 7, `a2` 8, `h8` 63."""
    return ord(word[0]) - ord("a") + 8 * (int(word[1]) - 1)


def frame_states(sample: Sample, word: Callable[[float], str]) -> dict[str, list[tuple[int, int]]]:
    """Return the classes of a sample's frames, one pair per visual token of a frame pair; an odd clip repeats its last.

    Args:
        sample: Its images and clips are of one video.
        word: From a time in seconds to the square of what the video is about.
    """
    found: dict[str, list[tuple[int, int]]] = {"image": [], "video": []}
    for message in sample.messages:
        for part in message.parts:
            if isinstance(part, Image):
                state = square_class(word(part.time))
                found["image"].append((state, state))
            elif isinstance(part, Clip):
                states = [square_class(word(time)) for time in part.times]
                states += states[-1:] * (len(states) % 2)
                found["video"] += list(zip(states[::2], states[1::2], strict=True))
    return found
