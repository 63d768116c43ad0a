"""The image tasks of SSL4RL: same or different, patch position, jigsaw. The contract, and the construction."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from typing import ClassVar

import numpy as np
import pytest
from pixel_facts import media_parts, nearest, unchanged
from task_contract import VIDEO, TaskContract, World, moving_frames, swapped
from test_tasks_transformed import ChoiceContract

from reelgym import tasks
from reelgym.data.messages import Image
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.choice import LETTERS


class TestContrastive(ChoiceContract):
    name = "contrastive"
    options: ClassVar = {"short_side": 56}
    refuses_static = True

    def place(self, sample: Sample, world: World) -> int:
        one, other = (part.time for part in media_parts(sample) if isinstance(part, Image))
        states = world._timeline(sample.source)
        facts = world.facts[sample.source]
        return int(states[facts.frame_at(one)] != states[facts.frame_at(other)])


class TestOddView(TestContrastive):
    options: ClassVar = {"views": 4, "short_side": 56}

    def place(self, sample: Sample, world: World) -> int:
        facts, states = world.facts[sample.source], world._timeline(sample.source)
        seen = [states[facts.frame_at(part.time)] for part in media_parts(sample) if isinstance(part, Image)]
        return next(place for place, state in enumerate(seen) if seen.count(state) == 1)


class TestPatchPosition(ChoiceContract):
    name = "patch_position"
    options: ClassVar = {"short_side": 56}
    shortest = 0

    def place(self, sample: Sample, world: World) -> int:
        whole, piece = unchanged(sample, world)[0], unchanged(sample, world, 1, keep=["crop"])[0]
        high, wide = piece.shape[:2]
        windows = np.lib.stride_tricks.sliding_window_view(whole, piece.shape)[:, :, 0]
        gaps = np.abs(windows.astype(np.int16) - piece).mean(axis=(2, 3, 4))
        y, x = np.unravel_index(int(gaps.argmin()), gaps.shape)
        return 2 * int(y + high / 2 > whole.shape[0] / 2) + int(x + wide / 2 > whole.shape[1] / 2)


class TestImageJigsaw(TaskContract):
    name = "image_jigsaw"
    options: ClassVar = {"short_side": 56}
    refuses_static = False
    shortest = 0

    def corruptions(self, sample: Sample) -> Iterable[str]:
        return [", ".join(map(str, row)) for row in swapped(sample.answer)]

    def replies(self, sample: Sample) -> Iterable[str]:
        return [", ".join(map(str, row)) for row in permutations(range(1, len(sample.answer) + 1))]

    def solve(self, sample: Sample, world: World) -> str:
        whole = unchanged(sample, world)
        rows, columns = sample.evidence["rows"], sample.evidence["columns"]
        high, wide = whole.shape[1] // rows, whole.shape[2] // columns
        where = []
        for number in range(rows * columns):
            tile = unchanged(sample, world, number, keep=["crop"])
            top, left = (high - tile.shape[1] + 1) // 2, (wide - tile.shape[2] + 1) // 2
            corners = [(r * high + top, c * wide + left) for r in range(rows) for c in range(columns)]
            cut = [whole[:, y : y + tile.shape[1], x : x + tile.shape[2]] for y, x in corners]
            where.append(nearest(tile, cut))
        return ", ".join(str(where.index(place) + 1) for place in range(rows * columns))


def _samples(name: str, **options: object) -> list[Sample]:
    task = tasks.configure(name, options)
    return list(task.generate(VIDEO, moving_frames(task, 30, fps=4.0), seed=0, split="train", count=20))


def test_the_same_frame_is_shown_twice_in_other_views_or_two_frames_once() -> None:
    samples = _samples("contrastive")
    for sample in samples:
        one, other = media_parts(sample)
        assert isinstance(one, Image) and isinstance(other, Image)
        assert (one.time == other.time) == (sample.answer == [1]) and one.edits != other.edits
    assert {sample.answer[0] for sample in samples} == {1, 2}


def test_a_piece_lies_within_its_quarter() -> None:
    for sample in _samples("patch_position"):
        left, top, right, bottom = (float(v) for v in media_parts(sample)[1].edits[0].args)
        row, column = divmod(sample.answer[0] - 1, 2)
        assert column / 2 <= left < right <= (column + 1) / 2 and row / 2 <= top < bottom <= (row + 1) / 2
        assert sample.evidence["closeness"][3 - (sample.answer[0] - 1)] == 0.0


def test_the_answer_names_for_each_place_the_tile_that_was_cut_there() -> None:
    for sample in _samples("image_jigsaw", rows=2, columns=3):
        crops = [part.edits[0].args for part in media_parts(sample)]
        in_place = [crops[number - 1] for number in sample.answer]
        assert [(round(c[1] * 2), round(c[0] * 3)) for c in in_place] == [(r, c) for r in range(2) for c in range(3)]


def test_a_jigsaw_with_two_tiles_exchanged_earns_the_share_in_place() -> None:
    (sample, *_) = _samples("image_jigsaw", rows=2, columns=2)
    first, second, *rest = sample.answer
    assert tasks.get("image_jigsaw").score(f"{second}{first}{rest[0]}{rest[1]}", sample).value == 0.5


def test_many_tiles_are_joined_by_edges_without_trying_every_order() -> None:
    (sample, *_) = _samples("image_jigsaw", rows=3, columns=3, light=0.0, trim=0.0)
    task = tasks.get("image_jigsaw")
    pixels = moving_frames(task, 30, fps=4.0)

    def media(part: object) -> np.ndarray:
        from reelgym.data.edits import apply

        assert isinstance(part, Image)
        return apply(pixels.pick((part.time,)), [part.time], part.edits)

    reply = task.baselines(sample, media)["seams"]  # type: ignore[arg-type]
    assert task.score(reply, sample).valid


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("contrastive", {"views": 1}, "give 2 to 8 views"),
        ("contrastive", {"crop": (0.9, 0.2)}, "low <= high"),
        ("patch_position", {"crop": (0.0, 0.2)}, "0.05 <= low"),
        ("image_jigsaw", {"rows": 4, "columns": 4}, "2 to 9 tiles"),
        ("image_jigsaw", {"trim": 0.5}, "trim within 0 to 0.4"),
    ],
)
def test_settings_that_make_no_sense_are_refused(name: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        tasks.configure(name, options)


def test_options_go_by_letters() -> None:
    (sample, *_) = _samples("patch_position")
    task = tasks.get("patch_position")
    words = sample.evidence["options"][sample.answer[0] - 1]
    for reply in (task.gold(sample), words, f"{task.gold(sample)}. {words}"):
        assert task.score(reply, sample).value == 1.0
    assert task.gold(sample) in LETTERS[:4]
