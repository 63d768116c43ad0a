"""A second question beside a user's own: the contract, ViSS-R1's reward by hand, any sample as the first question."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import pytest
from pixel_facts import nearest, relit, shown, unchanged
from task_contract import VIDEO, TaskContract, World, moving_frames

from reelgym import tasks
from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.choice import LETTERS
from reelgym.tasks.second_question import SecondQuestion, beside
from reelgym.tasks.transforms import TRANSFORMS
from reelgym.video import FrameSpec

SPEC = FrameSpec(fps=1.0, size=(28, 56))
RNG = np.random.default_rng


class TestSecondQuestion(TaskContract):
    name = "second_question"
    options: ClassVar = {"short_side": 56}
    refuses_static = False

    def corruptions(self, sample: Sample) -> Iterable[str]:
        own = ", ".join(map(str, sample.answer["answer"]))
        right = sample.answer["transform"][0] - 1
        yield from (f"<transform>{letter}</transform>{own}" for letter in "ABCD" if letter != "ABCD"[right])
        wrong = [sample.answer["answer"][0] - 1, *sample.answer["answer"][1:]]
        yield f"<transform>{'ABCD'[right]}</transform>{', '.join(map(str, wrong))}"
        yield own

    def guess(self, sample: Sample, rng: np.random.Generator) -> str:
        counts = ", ".join(map(str, rng.integers(0, sample.evidence["own_evidence"]["upper"] + 1, 3)))
        return f"<transform>{LETTERS[int(rng.integers(4))]}</transform><answer>{counts}</answer>"

    def solve(self, sample: Sample, world: World) -> str:
        drawn = unchanged(sample, world, keep=["shape"])
        options = [relit(sample, np.rot90(drawn, -k, axes=(1, 2)))[::8] for k in range(4)]
        turned = nearest(shown(sample, world)[::8], options)
        return f"<transform>{LETTERS[turned]}</transform>{', '.join(map(str, sample.answer['answer']))}"

    def test_baselines_have_names_that_an_evaluation_takes(self, samples: list[Sample], world_set: World) -> None:
        names = list(self.task.baselines(samples[0], world_set.media))
        assert "usual-first_option" in names and "usual-light_from_above" in names
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in names)


def _own() -> Sample:
    """A user's own question: a labelled choice about a clip and an image."""
    clip = Clip(video="full:v", spec=SPEC, times=tuple(float(t) for t in range(8)))
    parts = (Text("Which animal is it?\nA. a cat\nB. a dog"), clip, Image(video="full:v", spec=SPEC, time=3.0))
    evidence = {"kind": "choice", "options": ["a cat", "a dog"]}
    return Sample(
        id="q1",
        task="labelled",
        messages=(Message("system", (Text("Be brief."),)), Message("user", parts)),
        answer="B",
        split="train",
        evidence=evidence,
        provenance={"source": "full:v"},
    )


def test_the_reward_is_accuracy_and_half_for_the_transform() -> None:
    sample, task = beside(_own(), "rotation", 2, RNG(0)), SecondQuestion()
    # (1 + 0.5) / 1.5, 1 / 1.5, 0.5 / 1.5 and nothing.
    for reply, value in {
        "<think>upside down</think><transform>C</transform><answer>B</answer>": 1.0,
        "<transform>A</transform><answer>B</answer>": 2 / 3,
        "<answer>B</answer>": 2 / 3,
        "<transform>C</transform><transform>C</transform><answer>B</answer>": 2 / 3,
        "<transform>C</transform><answer>A</answer>": 1 / 3,
        "<transform>C</transform><answer>a bird</answer>": 1 / 3,
        "<transform>180 degrees</transform>B": 1.0,
        "nothing": 0.0,
    }.items():
        score = task.score(reply, sample)
        assert score.value == pytest.approx(value), reply
        assert score.valid == (value > 0)
    strict = beside(_own(), "rotation", 2, RNG(0), reward="strict")
    assert task.score("<transform>C</transform>B", strict).value == 1.0
    assert task.score("<transform>A</transform>B", strict).value == 0.0
    # Two options of the question, four of the transform.
    assert task.chance(strict)["value"] == 1 / 8
    assert task.chance(sample)["value"] == pytest.approx((1 / 2 + 0.5 / 4) / 1.5)


def test_every_part_is_changed_and_the_question_stays() -> None:
    sample = beside(_own(), "flip", 1, RNG(0), light=0.0)
    assert sample.messages[0] == _own().messages[0]
    asked, words, clip, image = sample.messages[1].parts
    assert (
        isinstance(asked, Text)
        and "<transform>letter</transform>" in asked.text
        and words == _own().messages[1].parts[0]
    )
    assert isinstance(clip, Clip) and isinstance(image, Image)
    assert clip.edits == image.edits and clip.edits[0].args == ("horizontal",)
    assert sample.answer == {"transform": [2], "answer": "B"} and sample.source == "full:v"


def test_a_change_of_time_leaves_images_and_refuses_samples_without_a_long_clip() -> None:
    parts = beside(_own(), "reversal", 1, RNG(0), light=0.0).messages[1].parts
    assert isinstance(parts[2], Clip) and parts[2].times == tuple(float(t) for t in range(7, -1, -1))
    assert parts[3] == _own().messages[1].parts[2]
    user = _own().messages[1]
    still = Sample(
        id="q2",
        task="labelled",
        messages=(Message("user", (user.parts[0], user.parts[2])),),
        answer="B",
        split="train",
        evidence=_own().evidence,
    )
    with pytest.raises(RequestError, match="shows nothing that reversal can change"):
        beside(still, "reversal", 1, RNG(0))
    assert beside(still, "rotation", 1, RNG(0)).answer["transform"] == [2]


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_each_option_of_a_transform_shows_other_pixels(name: str) -> None:
    from reelgym.data.edits import apply

    task = tasks.get("rotation")
    frames = moving_frames(task, 8, fps=1.0)
    clip = Clip(video=VIDEO.identity, spec=frames.spec, times=tuple(float(t) for t in frames.times))
    seen = []
    for option in range(len(TRANSFORMS[name].options)):
        part = TRANSFORMS[name].apply(clip, option, RNG(0), light=0.0, gutter=0.1)
        assert isinstance(part, Clip)
        seen.append(apply(frames.pick(part.times), part.times, part.edits).tobytes())
    assert len(set(seen)) == len(seen)


def test_any_other_task_may_stand_first_and_a_change_may_be_drawn() -> None:
    task = tasks.configure("second_question", {"own": "reversal", "transform": "any"})
    made = list(task.generate(VIDEO, moving_frames(task, 40, fps=4.0), seed=0, split="train", count=30))
    assert {sample.evidence["transform"] for sample in made} == set(TRANSFORMS)
    for sample in made:
        assert task.score(task.gold(sample), sample).value == 1.0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"own": "second_question"}, "not beside itself"),
        ({"transform": "rotate"}, "did you mean 'rotation'"),
        ({"reward": "half"}, "'strict' or 'smooth'"),
        ({"light": 2.0}, "give 0 to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        tasks.configure("second_question", options)
