"""Ordered selection: every part by hand, every chance level against a plain loop over all valid replies."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.scoring import PARTS, corrected, ordered_chance, ordered_parts
from reelgym.scoring.ordered import largest_displacement

SIZES = [(1, 1), (2, 2), (3, 0), (3, 2), (3, 3), (4, 2), (2, 5)]

# (K, l): valid replies, exact, position, selection, LCS / K, ordered pairs, as printed in the research notes.
TABLE = {
    (2, 2): (12, "0.083", "0.250", "0.500", "0.458", "0.083"),
    (3, 2): (60, "0.017", "0.200", "0.600", "0.467", "0.150"),
    (3, 3): (120, "0.008", "0.167", "0.500", "0.408", "0.100"),
    (4, 2): (360, "0.003", "0.167", "0.667", "0.457", "0.200"),
    (4, 4): (1680, "0.0006", "0.125", "0.500", "0.373", "0.107"),
    (5, 3): (6720, "0.0001", "0.125", "0.625", "0.407", "0.179"),
}


def loop_chance(count: int, pool: int, part: str) -> float:
    """The mean over every valid reply, one by one."""
    truth = tuple(range(1, count + 1))
    scores = [ordered_parts(reply, truth, pool)[part] for reply in permutations(range(1, pool + 1), count)]
    return sum(scores) / len(scores)


@pytest.mark.parametrize(("size", "row"), TABLE.items())
def test_the_chance_table_is_reproduced(size: tuple[int, int], row: tuple[int, str, str, str, str, str]) -> None:
    count, pool = size[0], sum(size)
    assert len(list(permutations(range(pool), count))) == row[0]
    chance = ordered_chance(count, pool)
    for name, printed in zip(("exact", "position", "selection", "lcs", "order"), row[1:], strict=True):
        assert f"{chance[name]:.{len(printed) - 2}f}" == printed


def test_chance_for_two_of_four_by_hand() -> None:
    # 12 replies: 1 exact, 1 reversed, 8 with one true frame (4 of them in its place), 2 with none.
    # two_part: exact 1; reversed 0.5 * (0.5 * 1 + 0.5 * 0) = 1/4; one true frame is no better than chance: 0.
    # displacement: E_max = 4; reversed E = 2, one in place E = 0 + 2, one out of place E = 1 + 2, none E = 4.
    wanted = {
        "exact": Fraction(1, 12),
        "order": Fraction(1, 12),
        "selection": Fraction(1, 2),
        "position": Fraction(1 * 2 + 4 * 1, 2 * 12),
        "position_discounted": (1 + 4 * Fraction(1, 5) * Fraction(1, 2)) / 12,
        "displacement": (1 + Fraction(1, 2) + 4 * Fraction(1, 2) + 4 * Fraction(1, 4)) / 12,
        "lcs": (1 + Fraction(1, 2) + 8 * Fraction(1, 2)) / 12,
        "two_part": (1 + Fraction(1, 4)) / 12,
    }
    chance = ordered_chance(2, 4)
    assert set(chance) == set(wanted) == set(PARTS)
    for name, fraction in wanted.items():
        assert chance[name] == pytest.approx(float(fraction), abs=1e-12)


@pytest.mark.parametrize(("count", "distractors"), SIZES)
@pytest.mark.parametrize("part", PARTS)
def test_chance_equals_the_mean_over_every_valid_reply(count: int, distractors: int, part: str) -> None:
    pool = count + distractors
    assert ordered_chance(count, pool)[part] == pytest.approx(loop_chance(count, pool, part), abs=1e-12)


def test_parts_of_one_reply_by_hand() -> None:
    # Truth 4 1 5 of a pool of 5, reply 1 2 5: 1 is one place early, 2 is wrong, 5 is right, 4 is missing (costs 3).
    parts = ordered_parts((1, 2, 5), (4, 1, 5), 5)
    assert parts["exact"] == 0
    assert parts["selection"] == pytest.approx(2 / 3)
    assert parts["order"] == pytest.approx(1 / 3)  # of (4,1), (4,5), (1,5) only the last
    assert parts["position"] == pytest.approx(1 / 3)
    assert parts["position_discounted"] == pytest.approx(0.2 / 3)
    assert parts["lcs"] == pytest.approx(2 / 3)  # 1 5
    # E = 3 + 1 + 0 = 4. Two missing cost 6, the one kept moves 2 at most: E_max = 8.
    assert parts["displacement"] == pytest.approx(1 - 4 / 8)
    # selection above chance: (2/3 - 3/5) / (2/5) = 1/6
    assert parts["two_part"] == pytest.approx(0.5 * (0.5 / 6 + 0.5 / 3))


def test_a_reversed_answer_keeps_selection_and_loses_order() -> None:
    parts = ordered_parts((3, 2, 1), (1, 2, 3), 5)
    assert (parts["selection"], parts["order"], parts["exact"]) == (1, 0, 0)
    assert parts["two_part"] == pytest.approx(0.25)


def test_one_hidden_frame_has_no_pairs_and_order_is_exact() -> None:
    assert ordered_parts((2,), (2,), 3)["order"] == 1
    assert ordered_parts((1,), (2,), 3)["order"] == 0


@pytest.mark.parametrize(("count", "distractors"), SIZES)
def test_the_largest_displacement_is_reached_and_never_passed(count: int, distractors: int) -> None:
    pool, truth = count + distractors, tuple(range(1, count + 1))
    worst = min(ordered_parts(reply, truth, pool)["displacement"] for reply in permutations(range(1, pool + 1), count))
    assert worst == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("count", range(2, 8))
def test_without_distractors_displacement_is_that_of_the_published_jigsaw(count: int) -> None:
    assert largest_displacement(count, count) == count * count // 2


@st.composite
def replies(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    count, distractors = draw(st.integers(1, 5)), draw(st.integers(0, 4))
    every = draw(st.permutations(range(1, count + distractors + 1)))
    other = draw(st.permutations(range(1, count + distractors + 1)))
    return tuple(every[:count]), tuple(other[:count]), count + distractors


@given(replies())
def test_every_part_lies_between_nothing_and_the_whole(case: tuple[tuple[int, ...], tuple[int, ...], int]) -> None:
    reply, truth, pool = case
    parts = ordered_parts(reply, truth, pool)
    assert set(parts) == set(PARTS)
    assert all(0 <= value <= 1 for value in parts.values())
    assert set(ordered_parts(truth, truth, pool).values()) == {1.0}
    if reply != truth:
        assert all(parts[name] < 1 for name in PARTS if name != "selection")


@given(replies())
def test_renumbering_the_pool_changes_no_part(case: tuple[tuple[int, ...], tuple[int, ...], int]) -> None:
    reply, truth, pool = case
    turned = {index: pool + 1 - index for index in range(1, pool + 1)}
    again = ordered_parts([turned[i] for i in reply], [turned[i] for i in truth], pool)
    assert again == ordered_parts(reply, truth, pool)


@given(replies())
def test_the_common_subsequence_is_the_longest(case: tuple[tuple[int, ...], tuple[int, ...], int]) -> None:
    reply, truth, pool = case
    found = {c for size in range(len(truth) + 1) for c in combinations(reply, size)}
    longest = max(len(c) for size in range(len(truth) + 1) for c in combinations(truth, size) if c in found)
    assert ordered_parts(reply, truth, pool)["lcs"] == pytest.approx(longest / len(truth))


def test_correction_is_zero_at_chance_one_at_the_top_and_negative_below() -> None:
    assert corrected(0.6, 0.6) == 0
    assert corrected(1.0, 0.6) == 1
    assert corrected(0.0, 0.5) == -1
    assert corrected(1.0, 1.0) == 0  # nothing to correct: everybody gets it
