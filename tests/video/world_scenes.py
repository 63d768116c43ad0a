"""Scenes of the rendered world as arrays, and what tests draw over them."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from reelgym import world
from reelgym.video import Frames, FrameSpec

Pixels = NDArray[np.uint8]


@cache
def scene(seed: int, *, kind: str = "moving", seconds: float = 8.0, fps: int = 4, side: int = 144) -> Pixels:
    """Return (F, side, side, 3) of one scene; read only."""
    drawn = world.render(
        kind,
        world.scene_seed(kind, "train", 0, seed),
        seconds=seconds,
        fps=fps,
        side=side,
        settings=world.Settings(),
    )
    pixels = np.stack(list(drawn.frames()))
    pixels.flags.writeable = False
    return pixels


def at(pixels: Pixels, fps: float = 4.0) -> Frames:
    """Return the pixels as frames of a steady rate."""
    return Frames(pixels, np.arange(len(pixels)) / fps, FrameSpec(fps=fps))


def clocked(pixels: Pixels, fps: float = 4.0) -> Pixels:
    """Return the frames with minutes and seconds burned into a corner, white on black."""
    font = ImageFont.load_default(14)
    out = []
    for number, picture in enumerate(pixels):
        image = Image.fromarray(picture)
        draw = ImageDraw.Draw(image)
        seconds = 95 + int(number / fps)
        text = f"{seconds // 60:02d}:{seconds % 60:02d}"
        draw.rectangle((5, 5, 62, 24), fill=(0, 0, 0))
        draw.text((8, 6), text, fill=(255, 255, 255), font=font)
        out.append(np.asarray(image))
    return np.stack(out)


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Return the frames at another size."""
    return np.stack([np.asarray(Image.fromarray(picture).resize((width, height))) for picture in pixels])
