"""The endpoints on rendered videos: exact answers, shared videos, and the embedded model asked once."""

from __future__ import annotations

from pathlib import Path

import pytest

from reelgym import tasks
from reelgym.data.messages import Clip
from reelgym.lab import endpoints
from reelgym.lab.endpoints import PUZZLES, QUESTIONS
from reelgym.recipes import proving
from reelgym.recipes.world_questions import FRAMES


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> endpoints.Endpoints:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REELGYM_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(proving, "cores", lambda: 1)
        return endpoints.prepare(2, 2)


def test_a_smaller_lab_after_a_larger_one_has_endpoints_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELGYM_CACHE", str(tmp_path))
    monkeypatch.setattr(proving, "cores", lambda: 1)
    larger, smaller = endpoints.prepare(2, 1), endpoints.prepare(1, 1)
    counts = [
        [len({one.source for one in found.samples[name]}) for name in endpoints.NAMES] for found in (larger, smaller)
    ]
    assert counts == [[2, 2], [1, 1]]


def test_questions_are_about_the_videos_of_the_puzzles_and_their_key_is_right(made: endpoints.Endpoints) -> None:
    asked, puzzles = made.samples[QUESTIONS], made.samples[PUZZLES]
    assert {one.source for one in asked} == {one.source for one in puzzles} and len(asked) == 4
    assert len({one.id for one in asked}) == len(asked)
    for one in asked:
        task = tasks.get(one.task)
        assert task.score(f"<answer>{task.gold(one)}</answer>", one).value == 1.0
        assert task.chance(one)["value"] == pytest.approx(1 / len(one.evidence["options"]))


def test_a_question_shows_evenly_spaced_frames_that_can_be_read(made: endpoints.Endpoints) -> None:
    (message,) = made.samples[QUESTIONS][0].messages
    clip = message.parts[0]
    assert isinstance(clip, Clip) and len(clip.times) == FRAMES and list(clip.times) == sorted(clip.times)
    assert made.media(clip).shape == (FRAMES, 28, 28, 3)


def test_the_embedded_model_answers_both_endpoints(made: endpoints.Endpoints, tmp_path: Path) -> None:
    found = endpoints.ask("tiny", made, 4)
    assert {name: len(one) for name, one in found.items()} == {name: 4 for name in endpoints.NAMES}
