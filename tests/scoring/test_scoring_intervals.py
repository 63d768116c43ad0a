from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.scoring.intervals import best_parts, clue_parts, interval_chance, iop, merged, union_iou
from reelgym.scoring.span import GRID, iou

SPANS = st.lists(
    st.tuples(st.integers(0, 29), st.integers(1, 10)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    min_size=1,
    max_size=4,
)


def seconds(spans: list[tuple[int, int]]) -> set[int]:
    """Whole seconds that lie inside some interval."""
    return {second for start, stop in spans for second in range(start, stop)}


@given(SPANS, SPANS)
def test_the_union_measure_is_that_of_counting_seconds(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    first, second = seconds(one), seconds(other)
    assert union_iou(one, other) == pytest.approx(len(first & second) / len(first | second))
    assert sum(stop - start for start, stop in merged(one)) == len(first)


@given(SPANS.map(lambda spans: spans[0]), SPANS.map(lambda spans: spans[0]))
def test_of_single_intervals_the_union_is_plain_iou_and_iop_counts_the_reply(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    assert union_iou([one], [other]) == pytest.approx(iou(one, other))
    assert iop(one, other) == pytest.approx(len(seconds([one]) & seconds([other])) / len(seconds([one])))


def test_by_hand() -> None:
    # [0, 4] shares 2 of [2, 8]: IoP 2/4, IoU 2/8; and 1 of [3, 4]: IoP 1/4, IoU 1/4.
    assert best_parts((0, 4), [(2, 8), (3, 4)]) == {
        "iop": 0.5,
        "iou": 0.25,
        "iop_0.3": 1,
        "iop_0.5": 1,
        "iou_0.3": 0,
        "iou_0.5": 0,
    }
    # IoU 1/4 reaches 0.1 and 0.2 of five thresholds.
    assert clue_parts([(0, 4)], [(3, 4)]) == {"iou": 0.25, "rec": 0.4}


def test_chance_is_the_mean_over_every_interval_of_the_grid() -> None:
    truth, length = ((2.0, 5.0), (8.0, 9.0)), 12.0
    ends = [length * place / GRID for place in range(GRID + 1)]
    guesses = [best_parts((a, b), truth) for a in ends for b in ends if a < b]
    for name, value in interval_chance(best_parts, truth, length).items():
        assert value == pytest.approx(sum(guess[name] for guess in guesses) / len(guesses))
