from __future__ import annotations

from typing import Any

import pytest

from reelgym.scoring.simulated import DEMOS, find_moves, parse_moves, reached

GRID = {"demo": "grid", "state": [[0, 0, 0], [0, 0, 0], [0, 0, 0]], "at": [0, 0]}
SLIDE = {"demo": "hrd", "state": [[1, 2], [3, 0]]}
CUP = {"demo": "cup", "state": [[1, 0], [0, 0]]}
FILES = {"demo": "file_sys", "state": {"path0": ["a.txt", "b.py"], "path1": []}, "target": "path0"}
CARDS = {"demo": "card", "state": {"pile0": ["2 of Clubs", "Ace of Spades"]}, "target": "pile0"}
CHIPS = {"demo": "chip", "state": {"cup0": [5, 10], "cup1": []}, "target": "cup0"}

CASES = [
    # To (1, 0): it and its neighbours (0, 0), (2, 0), (1, 1) become black.
    (GRID, [[1, 1, 1], [0, 1, 0], [0, 0, 0]], "right", True),
    (GRID, [[0, 0, 0], [0, 0, 0], [0, 0, 0]], "right, left", False),
    (GRID, [[1, 1, 1], [0, 1, 0], [0, 0, 0]], "left, right", False),  # Over the edge: not allowed, and not skipped.
    # The picture shows the last row on top. Right of 3 is the empty place: 3 moves right into it.
    (SLIDE, [[1, 2], [0, 3]], "right", True),
    # The 2 lies below the empty place and moves up into it.
    (SLIDE, [[1, 0], [3, 2]], "up", True),
    (SLIDE, [[1, 2], [3, 0]], "left", False),
    (CUP, [[0, 0], [1, 0]], "(a1, b1)", True),
    (CUP, [[0, 0], [0, 1]], "(a1, b1), (b1, b2)", True),
    (CUP, [[1, 0], [0, 0]], "(a1, c1)", False),
    (FILES, ["a.txt", "c.csv"], "touch path0/{c.csv} & rm -rf path0/{b.py}", True),
    (FILES, ["a.txt"], "rm -rf path0/b.py", True),
    (FILES, ["a.txt", "b.py"], "rm -rf path0/{b.py} & touch path0/{b.py}", False),  # Both name a file.
    (FILES, ["a.txt"], "rm -rf path0/{b.py} & touch path1/{c.csv} & touch path1/{d.csv}", False),  # Three commands.
    (FILES, ["a.txt"], "rm -rf path7/{b.py}", False),
    # From the top: the new card, then what was above; the lowest card leaves.
    (CARDS, ["3 of Hearts", "Ace of Spades"], "add 3 of Hearts to pile0, remove 2 of Clubs from pile0", True),
    (CARDS, ["Ace of Spades", "3 of Hearts"], "add 3 of Hearts to pile0, remove 2 of Clubs from pile0", False),
    (CARDS, ["2 of Clubs"], "remove Ace of Spades from pile0", False),  # It does not lie lowest.
    (CHIPS, [100, 10], "add 100 to cup0, remove 5 cup0", True),
    (CHIPS, [10, 100], "remove 5 from cup0, add 100 to cup0", True),
    (CHIPS, [5, 10], "remove 20 from cup0", False),
    (CHIPS, [5, 10, 7], "add 7 to cup0", False),  # No such chip.
]


@pytest.mark.parametrize(("puzzle", "goal", "text", "right"), CASES)
def test_operations_lead_to_the_goal_or_do_not(puzzle: dict[str, Any], goal: Any, text: str, right: bool) -> None:
    whole = puzzle | {"goal": goal}
    moves = parse_moves(puzzle["demo"], text)
    assert moves is not None and reached(whole, moves) is right
    # The puzzle is not changed by trying.
    assert reached(whole, moves) is right


@pytest.mark.parametrize(
    ("demo", "text", "strict", "count"),
    [
        ("grid", "1. Right\n2. upward", True, 2),
        ("grid", "The circle goes right, then up.", False, 2),
        ("grid", "stay", False, 0),
        ("cup", "a1, b2", True, 1),
        ("cup", "swap (a1, b2) with the rest", False, 1),
        ("card", "add the 10 of hearts to `pile1`", True, 1),
        ("card", "add a joker to pile1", False, 0),
        ("chip", "add 20 to cup0 and remove 50 cup1", True, 2),
        ("file_sys", "`touch path0/{a.txt,b.txt} & rm -rf path0/{c.py}`", True, 2),
        ("grid", "up " * 501, False, 0),
    ],
)
def test_operations_are_read_out_of_a_reply(demo: str, text: str, strict: bool, count: int) -> None:
    assert (parse_moves(demo, text) is not None) is strict
    assert len(find_moves(demo, text) or []) == count


def test_every_demonstration_has_a_case() -> None:
    assert {case[0]["demo"] for case in CASES} == set(DEMOS)
