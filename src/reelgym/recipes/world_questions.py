"""Plain question answering on the embedded world: what labels teach on the videos that puzzles are cut from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from reelgym import world
from reelgym.data.messages import Clip, Message, Text
from reelgym.data.sample import Sample, Split
from reelgym.recipes import proving, recipe
from reelgym.recipes.mvp import beside
from reelgym.scoring.choice import LETTERS
from reelgym.tasks.labelled import Labelled
from reelgym.training.config import Data, RLRun
from reelgym.video import FrameSpec
from reelgym.world import Facts, Question

FRAMES = 8
"""Frames a question shows, as many as a puzzle is cut from."""
SPEC = FrameSpec(fps=1.0, size=(28, 28))


@recipe
def world_questions(*, model: str = "tiny", seed: int = 0) -> RLRun:
    """Learn to answer the world's own questions by GRPO: the labelled baseline beside `mvp`, on the same videos.

    Args:
        model: What to start from; it is trained with the settings of `size=tiny`.
        seed: Of order, sampling and rendered videos.
    """
    return beside(_data, model, seed)


def _data(split: Split, videos: int, per_video: int, seed: int) -> Data:
    return asked_about(proving.ground(split, videos, per_video, seed), per_video)


def asked_about(ground: proving.Ground, per_video: int) -> Data:
    """Return questions about every video that puzzles were cut from.

    Args:
        ground: The puzzles, with the facts of their videos.
        per_video: Most questions of one video.
    """
    store = proving.store()
    media = ground.dataset.media(store)
    found: list[Sample] = []
    for identity in sorted({sample.source for sample in ground.dataset.samples}):
        times = store.frames(identity, str(media.paths[identity]), SPEC).times.tolist()
        split = ground.dataset.samples[0].split
        found += questions(identity, ground.facts[identity], times, count=per_video, split=split)
    return Data(found, media)


def questions(identity: str, facts: Facts, times: Sequence[float], *, count: int, split: Split) -> list[Sample]:
    """Return some of a video's questions as samples of the task `labelled`, with lettered options.

    Args:
        identity: Of the video.
        facts: Of the video.
        times: True times in seconds of its frames under `SPEC`.
        count: At most so many, drawn by the video's identity.
        split: Of the samples.
    """
    found = world.get(facts.kind).questions(facts)
    kept = sorted(Random(identity).sample(range(len(found)), min(count, len(found))))
    every = [round(k * (len(times) - 1) / (FRAMES - 1)) for k in range(FRAMES)]
    clip = Clip(video=identity, spec=SPEC, times=tuple(times[place] for place in dict.fromkeys(every)))
    return [replace(_sample(clip, facts, place, found[place]), split=split) for place in kept]


def _sample(clip: Clip, facts: Facts, place: int, question: Question) -> Sample:
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, question.options, strict=False)]
    text = "\n".join([question.text, *lines, "Answer with the letter of one option."])
    return Sample(
        id=f"question-{clip.video.removeprefix('full:')[:16]}-{place}",
        task=Labelled.name,
        messages=(Message("user", (clip, Text(f"\n{text}"))),),
        answer=LETTERS[question.options.index(question.answer)],
        split="test",
        evidence={"kind": "choice", "options": list(question.options), "duration_seconds": facts.seconds},
        facets={"kind": question.kind},
        provenance={"source": clip.video},
    )
