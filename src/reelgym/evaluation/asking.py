"""One question about one video, put to any model: what it was shown, what it wrote, what that is read as."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reelgym.data.media import Media
from reelgym.data.messages import Clip, Message, Text
from reelgym.data.templates import TAGS, with_instruction
from reelgym.errors import RequestError
from reelgym.evaluation.speakers import Manners, Said, Speaker, is_speaker, speaker
from reelgym.scoring.parse import answer_text
from reelgym.synthesis.labelled.samples import Looked, medium_of
from reelgym.synthesis.labelled.worker import look
from reelgym.video import Store

_MARK = re.compile(rf"<(/?)({'|'.join(TAGS)})>")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the models are shown.

    Attributes:
        messages: The prompt.
        media: Reads its pixels.
        times: True times of the frames, in seconds.
        size: Their height and width.
        duration_seconds: Of the video.
    """

    messages: tuple[Message, ...]
    media: Media
    times: tuple[float, ...]
    size: tuple[int, int]
    duration_seconds: float


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a model said.

    Attributes:
        model: Its name.
        said: The reply with its counts.
        segments: (name, text) of the reply in order; the name is empty outside of all tags.
        answer: What the reply is read as; None where it holds not exactly one answer.
    """

    model: str
    said: Said
    segments: tuple[tuple[str, str], ...]
    answer: str | None


def shown(
    video: Path,
    question: str,
    store: Store,
    *,
    variant: str,
    frames: int = 16,
    span: tuple[float, float] | None = None,
    max_pixels: int = 128 * 28 * 28,
) -> Shown:
    """Return a prompt of a clip and a question.

    Args:
        video: The file.
        question: In one's own words.
        store: Of decoded frames.
        variant: The instruction behind the question, a key of `data.templates.INSTRUCTIONS`; empty for none.
        frames: At most so many, in the middle of equal parts; an even number is shown.
        span: Only this part, [start, stop) in seconds.
        max_pixels: Largest area of a frame.

    Raises:
        RequestError: An empty question, fewer than 2 frames, or a file that cannot be read as video.
    """
    if not question.strip():
        raise RequestError("the question is empty: write one behind the video's name")
    if frames < 2:
        raise RequestError(f"--frames {frames}: give at least 2")
    found = look(str(video), frames, fps=1000.0, spans=[span] if span else ())
    if "quarantine" in found:
        told = found["quarantine"]
        raise RequestError(f"{told['path']} cannot be shown: {told['boundary']}: {told['reason']}")
    looked = Looked.of(found)
    clip = medium_of(looked, max_pixels)
    assert isinstance(clip, Clip) and clip.spec.size is not None
    messages: tuple[Message, ...] = (Message("user", (clip, Text(f"\n{question}"))),)
    return Shown(
        messages=with_instruction(messages, variant) if variant else messages,
        media=Media(store, {looked.video.identity: str(video)}, {looked.video.identity: looked.video.size_bytes}),
        times=clip.times,
        size=clip.spec.size,
        duration_seconds=looked.video.duration_seconds,
    )


def answered(prompt: Shown, model: str, *, max_tokens: int = 512, key_env: Sequence[str] = ()) -> Answered:
    """Return what a model says, greedily.

    Args:
        prompt: What is shown.
        model: As `--model` takes it, endpoints included.
        max_tokens: Cap of a reply.
        key_env: Variables of endpoints' keys.
    """
    asked = [("question", prompt.messages)]
    with TemporaryDirectory() as folder, _speaker(model, Path(folder), prompt, key_env) as who:
        ((_, said),) = [one for group in who.answers(asked, prompt.media, max_tokens) for one in group]
    return Answered(model=model, said=said, segments=segments(said.text), answer=answer_text(said.text))


def segments(reply: str) -> tuple[tuple[str, str], ...]:
    """Return (name, text) of the parts of a reply, tags left out; empty parts too.

    >>> segments("<think>far</think> so <answer>2</answer>")
    (('think', 'far'), ('', ' so '), ('answer', '2'))
    """
    found: list[tuple[str, str]] = []
    name, begin = "", 0
    for tag in _MARK.finditer(reply):
        text = reply[begin : tag.start()]
        if text or name:
            found.append((name, text))
        name, begin = "" if tag.group(1) else tag.group(2), tag.end()
    if name or reply[begin:]:
        found.append((name, reply[begin:]))
    return tuple(found)


def _speaker(name: str, folder: Path, prompt: Shown, key_env: Sequence[str]) -> Speaker:
    if is_speaker(name):
        return speaker(name, Manners(folder=folder, key_env=key_env, retries=2))
    from reelgym.evaluation.local import Local

    return Local.load(name, prompt.media)
