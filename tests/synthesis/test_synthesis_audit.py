"""The audit: generic shortcuts on puzzles made by hand, and what the rules keep."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reelgym import tasks
from reelgym.data.dataset import sample_to_row
from reelgym.data.messages import Clip, Image, Message, Part
from reelgym.data.sample import Sample
from reelgym.synthesis.audit import Audit, Decoded, chance_of_solving, marked, scores
from reelgym.synthesis.shortcuts import generic
from reelgym.video import Frames, FrameSpec

SPEC = FrameSpec(fps=1.0, size=(48, 48))


def film(count: int = 12) -> Frames:
    """A bright square that walks to the right on a ground that gets lighter, with more and more grain."""
    rng, pixels = np.random.default_rng(0), np.empty((count, 48, 48, 3), np.uint8)
    for place in range(count):
        ground = 20 + 8 * place + rng.normal(0, 0.4 * place + 0.01, (48, 48, 1))
        pixels[place] = np.clip(ground, 0, 255)
        pixels[place, 16:32, 3 * place : 3 * place + 12] = 240
    return Frames(pixels, np.arange(count, dtype=np.float64), SPEC)


def puzzle(hidden: tuple[int, ...], pool: tuple[int, ...], index: int = 0, video: str = "full:0") -> Sample:
    parts: list[Part] = [Clip(video=video, spec=SPEC, times=(0.0, 1.0, 2.0))]
    parts += [Clip(video=video, spec=SPEC, times=(6.0, 7.0))]
    parts += [Image(video=video, spec=SPEC, time=float(time)) for time in pool]
    return Sample(
        id=f"mvp-train-{index:016d}",
        task="mvp",
        messages=(Message("user", tuple(parts)),),
        answer=[pool.index(time) + 1 for time in hidden],
        split="train",
        evidence={"pool": len(pool)},
        provenance={"source": video},
    )


def test_orders_are_answered_by_chains_light_noise_and_place() -> None:
    sample = puzzle((3, 4, 5), (9, 5, 3, 11, 4))
    found = generic(sample, Decoded(film()))
    assert found["order_by_similarity"] == found["boundary_matching"] == (3, 5, 2)
    assert found["by_brightness"] == found["by_noise"] == (3, 5, 2)  # The darkest three, in order of light.
    assert found["first"] == (1, 2, 3)
    assert len(set(found["context_free"])) == 3


def test_single_choices_are_answered_by_what_is_nearest_to_the_frames_shown() -> None:
    clips = [(9.0, 10.0), (4.0, 5.0), (7.0, 8.0)]
    parts = tuple(Clip(video="full:0", spec=SPEC, times=times) for times in ((0.0, 1.0, 2.0), *clips))
    sample = replace(puzzle((3,), (3, 9)), messages=(Message("user", parts),), answer=[2])
    sample = replace(sample, evidence={"closeness": [0.0, 1.0, 0.0]})
    found = generic(sample, Decoded(film()))
    assert {found[name] for name in ("order_by_similarity", "boundary_matching", "by_brightness")} == {(2,)}
    alone = replace(sample, messages=(Message("user", parts[1:]),))
    assert generic(alone, Decoded(film()))["by_brightness"] in [(1,), (2,)]  # Farthest from the middle of all.


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [("yes", {}), ([1.5], {}), ([7], {"pool": 3}), ([1], {"options": ["a", "b"]}), ([1, 1], {"pool": 3}), ([], {})],
)
def test_answers_of_another_form_are_left_to_their_task(answer: Any, evidence: dict[str, Any]) -> None:
    sample = replace(puzzle((3,), (3, 9, 10)), answer=answer, evidence=evidence)
    assert generic(sample, Decoded(film())) == {}


def test_a_sample_is_marked_with_what_shortcuts_earn_and_with_a_guessers_share() -> None:
    sample = marked(puzzle((3, 4, 5), (9, 5, 3, 11, 4)), Decoded(film()))
    note = sample.provenance["audit"]
    assert sample.facets["shortcut"] == 1 and note["values"]["order_by_similarity"] == 1.0
    assert note["chance"] == pytest.approx(1 / 60, abs=1e-6) == round(chance_of_solving(sample), 6)
    assert note["values"]["first"] == pytest.approx(tasks.get("mvp").score("1, 2, 3", sample).value, abs=1e-6)
    found = scores(sample, Decoded(film()))
    assert set(found) == set(note["values"]) and {"exact", "order"} <= set(found["first"])
    tasks_own = tasks.get("mvp").baselines(sample, Decoded(film()))
    assert set(tasks_own) <= set(found)


def rows(solved: dict[str, float], *, count: int = 400, chance: float = 0.1, seed: int = 0) -> list[dict[str, str]]:
    """Rows of which each shortcut solves the given share, four of a video."""
    draw = random.Random(seed)
    made = []
    for index in range(count):
        values = {name: float(draw.random() < share) for name, share in solved.items()}
        note = {"audit": {"values": values, "chance": chance}, "source": f"full:{index // 4:03d}"}
        made.append(sample_to_row(replace(puzzle((3,), (3, 9)), id=f"mvp-train-{index:04x}", provenance=note)))
    return made


def kept(rule: Any, given: list[dict[str, str]]) -> tuple[list[dict[str, str]], dict[str, Any]]:
    audit = Audit(rule)
    for row in given:
        audit.add(row)
    audit.settle(given)
    return [row for row in given if audit.keeps(row)], audit.manifest()


def share(given: list[dict[str, str]], name: str) -> float:
    return float(np.mean([json.loads(row["provenance"])["audit"]["values"][name] for row in given]))


def test_thinning_brings_each_shortcut_down_to_a_guesser_and_leaves_what_it_gets_wrong() -> None:
    given = rows({"strong": 0.6, "weak": 0.25, "none": 0.05}, count=1200)
    left, told = kept("thin", given)
    assert share(left, "strong") == pytest.approx(0.1, abs=0.04) and share(left, "weak") <= 0.14
    names = {row["id"] for row in left}
    assert all(row["id"] in names for row in given if not any(_values(row).values()))
    assert told["tasks"]["mvp"]["removed"] == len(given) - len(left) > 0


def _values(row: dict[str, str]) -> dict[str, float]:
    return dict(json.loads(row["provenance"])["audit"]["values"])


def test_dropping_takes_what_a_sure_shortcut_solves_and_spares_what_luck_does() -> None:
    given = rows({"strong": 0.6, "lucky": 0.1}, count=800, seed=1)
    left, told = kept("drop", given)
    assert share(left, "strong") == 0.0 and share(left, "lucky") > 0.05
    assert told["tasks"]["mvp"]["baselines"]["strong"]["solved"]["mean"] == pytest.approx(0.6, abs=0.05)


def test_tasks_of_few_answers_are_thinned_and_never_turned_upside_down() -> None:
    given = rows({"coin": 0.7}, count=1000, chance=0.5)
    left, _ = kept("drop", given)
    assert share(left, "coin") == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rule", ["mark", "off"])
def test_marking_keeps_everything(rule: str) -> None:
    given = rows({"strong": 0.9})
    assert kept(rule, given)[0] == given


def test_what_stays_depends_on_the_set_and_not_on_split_or_order_of_sources() -> None:
    given = rows({"strong": 0.6})
    other = [row | {"id": row["id"].replace("train", "test"), "split": "test"} for row in given]
    first = [row["id"].rpartition("-")[2] for row in kept("thin", given)[0]]
    assert [row["id"].rpartition("-")[2] for row in kept("thin", other)[0]] == first
    assert sorted(row["id"].rpartition("-")[2] for row in kept("thin", given[::-1])[0]) == sorted(first)


def test_rows_that_nobody_looked_at_stay_and_leave_no_audit() -> None:
    plain = [sample_to_row(puzzle((3,), (3, 9)))]
    assert kept("drop", plain) == (plain, {})
