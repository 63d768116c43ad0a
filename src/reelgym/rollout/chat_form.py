"""From the house's messages to those of the OpenAI chat protocol: text, images as data URLs, videos as frames."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from reelgym.data.messages import Clip, Image, Message, Text

Encoding = Literal["jpeg", "png"]
Clips = Literal["frames", "video"]


class Pixels(Protocol):
    """Turns a named image or clip into its pixels, (F, H, W, 3) uint8; `data.media.Media` is one."""

    def __call__(self, part: Image | Clip) -> NDArray[np.uint8]:
        """Return the pixels of one part; an image has F = 1."""
        ...


def to_chat(
    messages: Sequence[Message],
    pixels: Pixels,
    *,
    encoding: Encoding = "jpeg",
    quality: int = 90,
    clips: Clips = "frames",
) -> list[dict[str, Any]]:
    """Return messages as JSON values of the chat protocol.

    Args:
        messages: The prompt.
        pixels: Reads its media; not called where there are none.
        encoding: How pictures are sent.
        quality: Of JPEG, 1 to 100.
        clips: `frames` sends each frame of a clip as an image after its time in seconds, which any endpoint takes that
            takes images; `video` sends one `video_url` of frames, which vLLM takes.
    """
    form: list[dict[str, Any]] = []
    for message in messages:
        if all(isinstance(part, Text) for part in message.parts):
            content: Any = "".join(part.text for part in message.parts if isinstance(part, Text))
        else:
            content = [one for part in message.parts for one in _part(part, pixels, encoding, quality, clips)]
        form.append({"role": message.role, "content": content})
    return form


def _part(
    part: Text | Image | Clip, pixels: Pixels, encoding: Encoding, quality: int, clips: Clips
) -> list[dict[str, Any]]:
    if isinstance(part, Text):
        return [{"type": "text", "text": part.text}]
    frames = pixels(part)
    if isinstance(part, Image):
        return [_image(frames[0], encoding, quality)]
    if clips == "video":
        # vLLM reads each picture by its content; the name of the type only says that there are several.
        pictures = ",".join(_base64(frame, encoding, quality) for frame in frames)
        return [{"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{pictures}"}}]
    shown = part.shown_seconds if part.shown_seconds is not None else part.times
    found = []
    for frame, second in zip(frames, shown, strict=True):
        found += [{"type": "text", "text": f"[{second:.1f} s]"}, _image(frame, encoding, quality)]
    return found


def _image(frame: NDArray[np.uint8], encoding: Encoding, quality: int) -> dict[str, Any]:
    url = f"data:image/{encoding};base64,{_base64(frame, encoding, quality)}"
    return {"type": "image_url", "image_url": {"url": url}}


def _base64(frame: NDArray[np.uint8], encoding: Encoding, quality: int) -> str:
    buffer = io.BytesIO()
    settings = {"quality": quality, "subsampling": 0} if encoding == "jpeg" else {}
    Picture.fromarray(frame).save(buffer, encoding.upper(), **settings)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
