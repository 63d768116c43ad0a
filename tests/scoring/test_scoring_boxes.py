from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelgym.scoring.boxes import box_parts, find_boxes, parse_boxes, written

ONE = [(3, (100.0, 200.0, 300.0, 400.0))]


@pytest.mark.parametrize(
    ("reply", "strict", "lenient"),
    [
        ('{"3": [100, 200, 300, 400]}', ONE, ONE),
        ('```json\n{"3": [100, 200, 300, 400]}\n```', ONE, ONE),
        ('Here: {"3": [100, 200, 300, 400]}.', None, ONE),
        ('<think>{"4": [1, 2, 3, 4]}</think>{"3 s": [[100, 200, 300, 400]]}', None, ONE),
        ('[{"3": [100, 200, 300, 400]}, {"4": [1, 2]}]', None, ONE),  # What is no box is left out.
        ('{"3": [100, 200, 300, 400], "4": [9, 9, 1, 1]}', None, ONE),  # A box without area is none.
        ('{"3": [100, 200, 300, 400', None, None),  # Cut off: nobody mends it.
        ('<think>{"3": [100, 200, 300, 400]}', None, None),
        ('{"3": [[1, 1, 2, 2], [3, 3, 4, 4]]}', None, None),  # A second has one box, not the best of several.
        ('{"3": [NaN, 200, 300, 400]}', None, None),
        ("{}", None, None),
        ("[" * 5000, None, None),
        ("", None, None),
    ],
)
def test_tracks_are_read(reply: str, strict: object, lenient: object) -> None:
    assert parse_boxes(reply) == strict
    assert find_boxes(reply) == lenient


def test_a_second_without_a_box_counts_nothing() -> None:
    truth = [(3, (0.0, 0.0, 10.0, 10.0)), (4, (0.0, 0.0, 10.0, 10.0)), (5, (0.0, 0.0, 10.0, 10.0))]
    # At 3 the same box: 1. At 4 half of it: 50 / 100 = 0.5. None at 5. The one at 9 is not asked for.
    said = [(3, (0.0, 0.0, 10.0, 10.0)), (4, (0.0, 0.0, 5.0, 10.0)), (9, (0.0, 0.0, 1.0, 1.0))]
    parts = box_parts(said, truth)
    assert parts["viou"] == pytest.approx(0.5)
    assert [round(parts[f"ap_{least}"], 3) for least in (0.1, 0.3, 0.5, 0.7, 0.9)] == [
        0.667,
        0.667,
        0.667,
        0.333,
        0.333,
    ]


def test_shared_area_over_all_area_by_hand() -> None:
    # 20 x 30 and 40 x 10 share 10 x 5: 50 / (600 + 400 - 50).
    parts = box_parts([(0, (0.0, 0.0, 20.0, 30.0))], [(0, (10.0, 25.0, 50.0, 35.0))])
    assert parts["viou"] == pytest.approx(50 / 950)


def test_what_is_written_is_read_again() -> None:
    assert parse_boxes(written(ONE)) == ONE


@given(st.text(alphabet='{}[]"0123456789,.: eE-', max_size=200))
def test_no_reply_raises(reply: str) -> None:
    for track in (parse_boxes(reply), find_boxes(reply)):
        assert track is None or 0 <= box_parts(track, ONE)["viou"] <= 1
