"""What every recipe is measured on: held-out puzzles, and the world's own questions about the same videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reelgym.data.media import Media
from reelgym.data.sample import Sample
from reelgym.evaluation.results import Evaluation
from reelgym.recipes import proving
from reelgym.recipes.world_questions import asked_about

PUZZLES, QUESTIONS = "held-out MVP", "world questions"
NAMES = (PUZZLES, QUESTIONS)

SEED = 2_000_000
"""Scenes of the endpoints have a seed that no recipe trains on, the same for all seeds of a lab."""


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
    place = proving.world_folder(f"lab-{videos}-{per_video}")
    ground = proving.prepare(place, split="test", videos=videos, per_video=per_video, seed=SEED)
    asked = asked_about(ground, per_video).items
    return Endpoints({PUZZLES: list(ground.dataset.samples), QUESTIONS: asked}, ground.dataset.media(proving.store()))


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
