"""The puzzles of VideoReasonBench: what a row's question asks of which state, for the simulator.

Rows that ask for operations have no right answer, only a goal, which stands in the question's text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reelgym.scoring.simulated import DEMOS
from reelgym.synthesis.labelled.record import BadRecord

OPERATIONS = "prediction_operation"
"""The questions that a simulator decides."""

_GOAL = {
    "grid": r"black and white pieces: `([^`]+)`\?",
    "hrd": r"number arrangement: `([^`]+)`\?",
    "cup": r"distribution of coins: `([^`]+)`\?",
    "file_sys": r"the following files: `([^`]+)`",
    "card": r"from top to bottom: `([^`]+)`",
    "chip": r"the following chips: `([^`]+)`",
}
_TARGET = re.compile(r"to ensure that `(\w+)` contains exactly")
_PLACED = re.compile(r"\(([a-e]),\s*([0-9])\):\s*(\w+)")


def puzzle_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new columns `@asks` (`operations` or `answer`) and `@puzzle` of a row.

    Raises:
        BadRecord: It asks for operations, and its state or goal cannot be read.
    """
    if row.get("dim") != OPERATIONS:
        return {"@asks": "answer", "@puzzle": None}
    demo = str(row.get("@file"))
    if demo not in DEMOS:
        raise BadRecord(f"is of the demonstration {demo[:40]!r}, which no simulator knows")
    try:
        return {"@asks": "operations", "@puzzle": _puzzle(demo, row)}
    except (KeyError, IndexError, ValueError, TypeError, AttributeError):
        raise BadRecord("its state or its goal cannot be read") from None


def _puzzle(demo: str, row: Mapping[str, Any]) -> dict[str, Any]:
    # The state that a video shows at its end is asked for as it was at the start, and the other way about.
    at = 0 if row["visible_time"] == "end" else -1
    told = re.search(_GOAL[demo], row["question"])
    if told is None:
        raise ValueError("no goal")
    made: dict[str, Any] = {"demo": demo}
    if demo in ("grid", "hrd", "cup"):
        state = row["states"][at]
        made |= {"state": state, "goal": _board(demo, told[1], len(state))}
        return made | ({"at": list(row["coords"][at])} if demo == "grid" else {})
    target = _TARGET.search(row["question"])
    state = {name: _held(held, at) for name, held in row["states"].items()}
    if target is None or target[1] not in state:
        raise ValueError("no target")
    goal = [int(one) if demo == "chip" else one for one in told[1].split(", ")]
    return made | {"state": state, "goal": goal, "target": target[1]}


def _held(states: Any, at: int) -> list[Any]:
    """Return what a path, pile or cup holds, out of a list of states or a record of commands and states."""
    return list((list(states.values()) if isinstance(states, Mapping) else states)[at])


def _board(demo: str, text: str, size: int) -> list[list[int]]:
    board = [[0] * size for _ in range(size)]
    if demo == "cup":
        for place in text.split(", "):
            board["abcde".index(place[0])][int(place[1]) - 1] = 1
        return board
    for letter, column, value in _PLACED.findall(text):
        row = "abcde".index(letter)
        if demo == "grid":
            board[row][int(column)] = int(value == "black")
        else:
            board[size - 1 - row][int(column) - 1] = int(value)
    return board
