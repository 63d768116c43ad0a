"""Easier forms: the right answer stays right, one way to be wrong is gone, and the last form has no easier one."""

from __future__ import annotations

from dataclasses import replace

from reelgym import tasks
from reelgym.data.messages import Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.tasks.pretext import lettered
from reelgym.tasks.shown import question
from reelgym.video import FrameSpec

SPEC = FrameSpec(fps=1.0, size=(28, 28))


def puzzle() -> Sample:
    pool = [5.0, 9.0, 4.0, 8.0]
    return Sample(
        id="s",
        task="mvp",
        messages=(Message("user", question("v", SPEC, ((1.0,), (7.0,)), pool, 2)),),
        answer=[3, 1],
        split="train",
        evidence={"candidate_times": pool, "context_times": [[1.0], [7.0]], "hidden_times": [4.0, 5.0], "pool": 4},
        facets={"hidden": 2, "distractors": 2},
        provenance={"source": "v"},
    )


def test_an_eased_puzzle_shows_the_same_frames_but_one() -> None:
    task = tasks.get("mvp")
    easier = task.eased(puzzle())
    assert easier is not None and easier.id == "s~" and easier.facets["distractors"] == 1
    shown = [part.time for part in easier.messages[0].parts if isinstance(part, Image)]
    assert shown == [5.0, 9.0, 4.0] == easier.evidence["candidate_times"]
    assert [shown[number - 1] for number in easier.answer] == [4.0, 5.0]
    assert task.score(task.gold(easier), easier).value == 1.0
    assert task.chance(easier)["value"] > task.chance(puzzle())["value"]
    last = task.eased(easier)
    assert last is not None and last.answer == [2, 1] and task.eased(last) is None
    assert puzzle() == puzzle()


def test_an_eased_choice_has_one_wrong_option_less() -> None:
    options = ["left", "right", "up"]
    sample = replace(
        puzzle(),
        task="patch_swap",
        messages=(Message("user", (Text(f"Which?{lettered(options)}"),)),),
        answer=[3],
        evidence={"options": options, "closeness": [0.0, 0.5, 1.0], "reward": "strict"},
    )
    task = tasks.get("patch_swap")
    easier = task.eased(sample)
    assert easier is not None and easier.answer == [2] and easier.evidence["options"] == ["right", "up"]
    assert easier.messages[0].parts == (Text(f"Which?{lettered(['right', 'up'])}"),)
    assert task.score("B", easier).value == 1.0 and task.score("A", easier).value < 1.0
    assert task.eased(easier) is None
