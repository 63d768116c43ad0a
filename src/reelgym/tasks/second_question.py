"""Second question: how was the input changed, asked beside a user's own question about it.

What it does. Changes all media of a question in one way (turned, mirrored, reversed, quarters or groups of frames
exchanged) and asks for the change in `<transform>` tags before the answer to the question itself. `beside` does so to
any sample; `synth` does it to the samples of another task of this room.
Why. To answer, the change has to be seen and undone in mind: perception is asked for wherever there are questions.
Example. A clip upside down, "By how much were all frames turned?" and "How many squares?"; answer
`<transform>C</transform>2, 1, 4`, with or without `<answer>` tags, the letter inside or before them.
How it is scored. smooth: (answer + 0.5 transform) / 1.5, the answer by its own task, the transform 1 if it is right;
what cannot be read counts 0. strict: 1 if both are wholly right. `answer` and `transform` are parts, so that a rubric
can pay them apart. Chance follows from the two, which are guessed apart.
Limits. A change may spoil the question (mirrored writing, "on the left"): choose `transform` to suit it. Frames that
are not square show by their shape whether they lie on their side.
References. ViSS-R1 (arXiv 2511.13054): `<think>`, `<transform>letter</transform>`, `<answer>`; reward accuracy in
[0, 1] + 0.5 if the transform is right (+ format and length, which are rewards of their own here). Ours: the division by
1.5, which keeps the value within 1, the strict form, the added light.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from reelgym.data.messages import Clip, Image, Message, Part, Text
from reelgym.data.sample import Sample, Split
from reelgym.errors import RequestError, unknown
from reelgym.scoring import Score
from reelgym.scoring.choice import LETTERS, parse_choice
from reelgym.scoring.graded import REWARDS, graded_chance, graded_score
from reelgym.tasks import patch_swap, reversal, rotation
from reelgym.tasks.base import MediaReader, Task, configure, get, sample_key, stream
from reelgym.tasks.transforms import TRANSFORMS
from reelgym.video import Frames, FrameSpec, Video

WEIGHT = 0.5
"""What the transform is worth beside the answer: ViSS-R1's."""

_SHORTCUTS = {
    "rotation": rotation.shortcuts,
    "patches": patch_swap.shortcuts,
    "groups": patch_swap.shortcuts,
    "reversal": reversal.shortcuts,
}

_MARKED = re.compile(r"<transform>(.*?)</transform>", re.DOTALL)
_WHOLE = ("strict", "exact")
_GUTTER = 0.25


@dataclass(frozen=True, kw_only=True)
class SecondQuestionConfig:
    """Whose question stands first, and how its media are changed."""

    fps: float | str = "auto"
    """Frames per second taken from the video, or `auto`, as the first question's task wants it."""
    reward: Literal["strict", "smooth"] = "smooth"
    """What `Score.value` is: both wholly right, or the weighted mean. Both are always in the parts."""
    own: str = "shape_count"
    """The task whose question stands for a user's own. Its settings are the defaults."""
    transform: str = "rotation"
    """The change: a name of `transforms.TRANSFORMS`, or `any`."""
    light: float = 0.4
    """Strength of the light that is added, 0 to 1, so that light alone does not tell the change."""
    short_side: int | None = None
    """Shorter side in pixels shown to the model, where the first task can be told; None: as it likes."""

    def __post_init__(self) -> None:
        """Refuse names that do not exist, and a question beside itself."""
        if self.reward not in REWARDS:
            raise RequestError(f"reward={self.reward!r}: 'strict' or 'smooth'")
        if self.transform not in (*TRANSFORMS, "any"):
            raise unknown("transform", self.transform, (*TRANSFORMS, "any"))
        if not 0 <= self.light <= 1:
            raise RequestError(f"light={self.light}: give 0 to 1")
        if self.own == SecondQuestion.name:
            raise RequestError(f"own={self.own!r}: a second question stands beside another task's, not beside itself")


class SecondQuestion(Task):
    """Say how the input was changed, beside a user's own question (ViSS-R1, arXiv 2511.13054)."""

    name: ClassVar[str] = "second_question"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = SecondQuestionConfig
    config: SecondQuestionConfig

    def wanted_frames(self) -> int:
        """Return what the first question's task wants."""
        return self._own.wanted_frames()

    def spec(self, fps: float) -> FrameSpec:
        """Return the spec of the first question's task."""
        return self._own.spec(fps)

    def shown(self, video: Video, fps: float) -> FrameSpec:
        """Return the spec of the first question's task."""
        return self._own.shown(video, fps)

    def generate(self, video: Video, frames: Frames, *, seed: int, split: Split, count: int) -> Iterator[Sample]:
        """Yield the samples of the first question's task, each with a second question; see `Task.generate`."""
        for index, first in enumerate(self._own.generate(video, frames, seed=seed, split=split, count=count)):
            key = sample_key(self, split=split, seed=seed, source=video.identity, index=index)
            rng = stream(key)
            fitting = [name for name in TRANSFORMS if _fits(first, name)] if self.config.transform == "any" else []
            name = str(rng.choice(fitting)) if fitting else self.config.transform
            option = int(rng.integers(len(TRANSFORMS[name].options)))
            made = beside(first, name, option, rng, light=self.config.light, reward=self.config.reward)
            yield replace(made, id=f"{self.name}-{split}-{key[:16]}")

    def score(self, reply: str, sample: Sample) -> Score:
        """Return the score of a reply: of its transform, and of the rest by the first question's task."""
        first = _first(sample)
        marked = _MARKED.findall(reply)
        chosen = parse_choice(marked[0], sample.evidence["options"]) if len(marked) == 1 else None
        answered = get(first.task).score(_MARKED.sub("", reply), first)
        if chosen is None and not answered.valid:
            return graded_score(None, _chances(sample), sample.evidence["reward"], None)
        right = float(chosen is not None and chosen + 1 == sample.answer["transform"][0])
        parts = {
            "strict": right * (answered.parts[_whole(answered.parts)] if answered.valid else 0.0),
            "smooth": (answered.value + WEIGHT * right) / (1 + WEIGHT),
            "answer": answered.value,
            "transform": right,
        }
        parsed = {"transform": None if chosen is None else chosen + 1, "answer": answered.parsed}
        return graded_score(parts, _chances(sample), sample.evidence["reward"], parsed)

    def chance(self, sample: Sample) -> dict[str, float]:
        """Return the mean over all answers and all options, guessed apart."""
        return graded_chance(_chances(sample), sample.evidence["reward"])

    def gold(self, sample: Sample) -> str:
        """Return the right letter in its tags and the right answer, such as `<transform>C</transform>2, 1, 4`."""
        first = _first(sample)
        return f"<transform>{LETTERS[sample.answer['transform'][0] - 1]}</transform>{get(first.task).gold(first)}"

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return the first task's shortcuts beside option A, and the transform's beside the first of them."""
        first = _first(sample)
        found = get(first.task).baselines(first, media)
        part = next(part for m in sample.messages for part in m.parts if isinstance(part, Image | Clip))
        shortcuts = _SHORTCUTS.get(sample.evidence["transform"])
        told = {} if shortcuts is None else shortcuts(part, media)
        pairs = {f"{name}-first_option": (reply, 0) for name, reply in found.items()}
        pairs |= {f"{name}-{way}": (found[name], place) for name in list(found)[:1] for way, place in told.items()}
        return {name: f"<transform>{LETTERS[place]}</transform>{reply}" for name, (reply, place) in pairs.items()}

    @property
    def _own(self) -> Task:
        names = {field: getattr(self.config, field) for field in ("short_side",) if getattr(self.config, field)}
        return configure(self.config.own, names)


def beside(
    sample: Sample,
    transform: str,
    option: int,
    rng: np.random.Generator,
    *,
    light: float = 0.4,
    reward: str = "smooth",
) -> Sample:
    """Return a sample that asks for the change of its media beside its own question.

    Args:
        sample: With images or clips; its task scores `strict` or `exact` among its parts.
        transform: A name of `TRANSFORMS`.
        option: The place of the option that is right, from 0: what is done to the media.
        rng: Of the added light.
        light: Its strength, 0 to 1.
        reward: Which part of the score is its value.

    Raises:
        RequestError: Unknown transform, an option that it has not, no media or clips too short for it, or a task
            without a measure of wholly right answers.
    """
    if transform not in TRANSFORMS:
        raise unknown("transform", transform, TRANSFORMS)
    kind = TRANSFORMS[transform]
    if not 0 <= option < len(kind.options):
        raise RequestError(f"option {option} of transform {transform}: it has 0 to {len(kind.options) - 1}")
    if not _fits(sample, transform):
        raise RequestError(f"sample {sample.id} shows nothing that {transform} can change: give clips, or another one")
    _whole(get(sample.task).chance(sample))
    messages, waiting = [], True
    for message in sample.messages:
        parts: list[Part] = [
            kind.apply(part, option, rng, light=light, gutter=_GUTTER) if isinstance(part, Image | Clip) else part
            for part in message.parts
        ]
        if waiting and message.role == "user":
            parts, waiting = [Text(_asked(transform)), *parts], False
        messages.append(Message(message.role, tuple(parts)))
    return replace(
        sample,
        id=f"{SecondQuestion.name}-{sample.id}",
        task=SecondQuestion.name,
        messages=tuple(messages),
        answer={"transform": [option + 1], "answer": sample.answer},
        evidence={"own": sample.task, "own_evidence": sample.evidence, "options": list(kind.options)}
        | {"transform": transform, "reward": reward},
        facets=sample.facets | {"transform": transform, "own": sample.task},
    )


def _asked(transform: str) -> str:
    """Return what is asked before the question; the letter may also stand before the answer's own tags."""
    kind = TRANSFORMS[transform]
    options = "".join(f"\n{LETTERS[place]}. {text}" for place, text in enumerate(kind.options))
    return (
        f"First: {kind.question}{options}\nBegin your answer with the letter, as <transform>letter</transform>. Then "
        "answer this question about the unchanged original:\n"
    )


def _fits(sample: Sample, transform: str) -> bool:
    """Return whether at least one part can be changed, and no clip is too short for it."""
    media = [part for m in sample.messages for part in m.parts if not isinstance(part, Text)]
    fits = [TRANSFORMS[transform].fits(part) for part in media]
    return any(fits) and all(fit for part, fit in zip(media, fits, strict=True) if isinstance(part, Clip))


def _first(sample: Sample) -> Sample:
    """Return the sample as its own task knows it, its media still changed."""
    evidence = sample.evidence
    return replace(sample, task=evidence["own"], answer=sample.answer["answer"], evidence=evidence["own_evidence"])


def _whole(parts: dict[str, float]) -> str:
    found = next((name for name in _WHOLE if name in parts), None)
    if found is None:
        raise RequestError(
            f"a second question needs a first one whose score says `strict` or `exact`; this one has {', '.join(parts)}"
        )
    return found


def _chances(sample: Sample) -> dict[str, float]:
    first = _first(sample)
    own = get(first.task).chance(first)
    letter = 1 / len(sample.evidence["options"])
    smooth = (own["value"] + WEIGHT * letter) / (1 + WEIGHT)
    return {"strict": own[_whole(own)] * letter, "smooth": smooth, "answer": own["value"], "transform": letter}
