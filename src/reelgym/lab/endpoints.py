"""What every recipe is measured on: held-out puzzles, and the world's own questions about the same videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from reelgym import world
from reelgym.data.media import Media
from reelgym.data.messages import Clip, Message, Text
from reelgym.data.sample import Sample
from reelgym.evaluation.results import Evaluation
from reelgym.recipes import proving
from reelgym.scoring.choice import LETTERS
from reelgym.tasks.labelled import Labelled
from reelgym.video import FrameSpec
from reelgym.world import Facts, Question

PUZZLES, QUESTIONS = "held-out MVP", "world questions"
NAMES = (PUZZLES, QUESTIONS)

SEED = 2_000_000
"""Scenes of the endpoints have a seed that no recipe trains on, the same for all seeds of a lab."""
FRAMES = 8
"""Frames a question shows, as many as a puzzle is cut from."""
SPEC = FrameSpec(fps=1.0, size=(28, 28))


@dataclass(frozen=True, eq=False)
class Endpoints:
    """Samples by endpoint, and what reads their pixels."""

    samples: Mapping[str, Sequence[Sample]]
    media: Media


def prepare(videos: int, per_video: int) -> Endpoints:
    """Render the endpoints' videos, which no recipe trains on, and return puzzles and questions about them.

    Args:
        videos: How many.
        per_video: Most puzzles of one video, and most questions.
    """
    ground = proving.prepare(proving.world_folder("lab"), split="test", videos=videos, per_video=per_video, seed=SEED)
    media = ground.dataset.media(proving.store())
    asked: list[Sample] = []
    for identity in sorted({sample.source for sample in ground.dataset.samples}):
        times = proving.store().frames(identity, str(media.paths[identity]), SPEC).times.tolist()
        asked += questions(identity, ground.facts[identity], times, per_video)
    return Endpoints({PUZZLES: list(ground.dataset.samples), QUESTIONS: asked}, media)


def questions(identity: str, facts: Facts, times: Sequence[float], count: int) -> list[Sample]:
    """Return some of a video's questions as samples of the task `labelled`, with lettered options.

    Args:
        identity: Of the video.
        facts: Of the video.
        times: True times in seconds of its frames under `SPEC`.
        count: At most so many, drawn by the video's identity.
    """
    found = world.get(facts.kind).questions(facts)
    kept = sorted(Random(identity).sample(range(len(found)), min(count, len(found))))
    every = [round(k * (len(times) - 1) / (FRAMES - 1)) for k in range(FRAMES)]
    clip = Clip(video=identity, spec=SPEC, times=tuple(times[place] for place in dict.fromkeys(every)))
    return [_sample(clip, facts, place, found[place]) for place in kept]


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


def ask(policy: str, endpoints: Endpoints, max_tokens: int) -> dict[str, Evaluation]:
    """Return the greedy replies of a policy to every endpoint, by name.

    Args:
        policy: As `models.load` takes it.
        endpoints: What to ask.
        max_tokens: Cap of a reply.
    """
    from reelgym import models
    from reelgym.evaluation.runner import evaluate

    loaded = models.load(policy)
    how = {"variant": "tagged", "max_tokens": max_tokens, "batch": 64, "model": policy}
    return {name: evaluate(loaded, samples, endpoints.media, **how) for name, samples in endpoints.samples.items()}  # type: ignore[arg-type]
