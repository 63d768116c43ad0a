"""What the frames of a prompt show, as classes: the squares of the world's board."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

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
    parts = [part for message in sample.messages for part in message.parts]
    images = [square_class(word(part.time)) for part in parts if isinstance(part, Image)]
    clips = [[square_class(word(time)) for time in part.times] for part in parts if isinstance(part, Clip)]
    return {
        "image": [(state, state) for state in images],
        "video": [pair for states in clips for pair in zip_longest(states[::2], states[1::2], fillvalue=states[-1])],
    }
