"""Scores of proposed operations: they are done to a known state, and what comes out is compared with what was wanted.

Reference: VideoReasonBench (arXiv 2505.23359). Its six demonstrations: a circle that flips pieces (`grid`), a sliding
puzzle (`hrd`), cups that swap (`cup`), files (`file_sys`), piles of cards (`card`) and cups of chips (`chip`). Where we
differ: its script has a language model take the operations out of a reply, skips moves over an edge, and compares piles
of cards from the bottom with a goal told from the top; here a rule reads them, a move that is not allowed makes the
answer wrong, and cards are compared from the top.

A puzzle is JSON: `demo`; `state` now; `goal`; `at`, the circle's place in `grid`; `target`, the path, pile or cup that
the goal is of. Boards are lists of rows; in `hrd`, 0 is the empty square.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Puzzle = Mapping[str, Any]
Moves = list[tuple[str, ...]]

_LONGEST, _MOST = 10_000, 500
_BETWEEN = re.compile(r"(?:[\s,;.`'\"()\[\]&*>\u2192-]|\band\b|\bthen\b|\b[0-9]{1,3}[.)])*", re.IGNORECASE)
_STEP = r"\b(left|right|up|down)(?:wards?)?\b"
_CARD = r"(?:Ace|Jack|Queen|King|10|[2-9])\s+of\s+(?:Hearts|Clubs|Diamonds|Spades)"
_FILES = r"(?:\{[^{}]{1,2000}\}|[\w.]{1,40})"

_STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_CHIPS = (5, 10, 20, 50, 100)


@dataclass(frozen=True)
class _Demo:
    """One demonstration: how an operation is written, and whether operations lead to the goal."""

    move: re.Pattern[str]
    reached: Callable[[Puzzle, Moves], bool]


def parse_moves(demo: str, text: str) -> Moves | None:
    """Return the operations of a text that holds nothing else, or None.

    >>> parse_moves("grid", "right, up"), parse_moves("grid", "go right")
    ([('right',), ('up',)], None)
    """
    moves = find_moves(demo, text)
    if moves is None:
        return None
    rest = DEMOS[demo].move.sub(" ", text)
    return moves if _BETWEEN.fullmatch(rest) else None


def find_moves(demo: str, text: str) -> Moves | None:
    """Return the operations that occur in a text, in order; None where there is none, or more than 500."""
    found = DEMOS[demo].move.finditer(text) if len(text) <= _LONGEST else iter(())
    moves = [tuple(" ".join(part.split()) for part in match.groups()) for match in found]
    return moves if 0 < len(moves) <= _MOST else None


def reached(puzzle: Puzzle, moves: Moves) -> bool:
    """Return whether all operations are allowed and lead to the goal."""
    return DEMOS[puzzle["demo"]].reached(puzzle, moves)


def _grid(puzzle: Puzzle, moves: Moves) -> bool:
    board, (x, y) = deepcopy(puzzle["state"]), puzzle["at"]
    for (step,) in moves:
        dx, dy = _STEPS[step.lower()]
        x, y = x + dx, y + dy
        if not _inside(board, y, x):
            return False
        for row, column in ((y, x), (y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if _inside(board, row, column):
                board[row][column] = 1 - board[row][column]
    return bool(board == puzzle["goal"])


def _slide(puzzle: Puzzle, moves: Moves) -> bool:
    """Squares move into the empty one; the board is drawn with its last row on top."""
    board = deepcopy(puzzle["state"])
    ((y, x),) = [(y, x) for y, row in enumerate(board) for x, number in enumerate(row) if number == 0]
    for (step,) in moves:
        dx, dy = _STEPS[step.lower()]
        # A square that moves right leaves its place to the left of the empty one; up is towards the last row.
        row, column = y + dy, x - dx
        if not _inside(board, row, column):
            return False
        board[y][x], board[row][column], y, x = board[row][column], 0, row, column
    return bool(board == puzzle["goal"])


def _swap(puzzle: Puzzle, moves: Moves) -> bool:
    board = deepcopy(puzzle["state"])
    for pair in moves:
        (a, b), (c, d) = (("abcde".index(place[0].lower()), int(place[1]) - 1) for place in pair)
        if not (_inside(board, a, b) and _inside(board, c, d)):
            return False
        board[a][b], board[c][d] = board[c][d], board[a][b]
    return bool(board == puzzle["goal"])


def _files(puzzle: Puzzle, moves: Moves) -> bool:
    """At most two commands, of which none touches what the other removes."""
    held = {path: set(files) for path, files in puzzle["state"].items()}
    named = [{name.strip() for name in files.strip("{}").split(",")} for _, _, files in moves]
    if len(moves) > 2 or len(set.union(*named)) < sum(map(len, named)):
        return False
    for (command, path, _), files in zip(moves, named, strict=True):
        if path not in held:
            return False
        held[path] = held[path] | files if command == "touch" else held[path] - files
    return bool(held[puzzle["target"]] == set(puzzle["goal"]))


def _cards(puzzle: Puzzle, moves: Moves) -> bool:
    """Cards are put on top, which is the end of a pile, and taken from the bottom."""
    piles = deepcopy(puzzle["state"])
    for act, card, name in moves:
        pile = piles.get(name.lower())
        if pile is None:
            return False
        if act.lower() == "add":
            pile.append(card)
        elif not pile or pile.pop(0) != card:
            return False
    return bool(piles[puzzle["target"]][::-1] == list(puzzle["goal"]))


def _chips(puzzle: Puzzle, moves: Moves) -> bool:
    cups = deepcopy(puzzle["state"])
    for act, chip, name in moves:
        cup, value = cups.get(name.lower()), int(chip)
        if cup is None or value not in _CHIPS or (act.lower() == "remove" and value not in cup):
            return False
        if act.lower() == "add":
            cup.append(value)
        else:
            cup.remove(value)
    return Counter(cups[puzzle["target"]]) == Counter(puzzle["goal"])


def _inside(board: Sequence[Sequence[Any]], row: int, column: int) -> bool:
    return 0 <= row < len(board) and 0 <= column < len(board[0])


def _demo(pattern: str, reached: Callable[[Puzzle, Moves], bool]) -> _Demo:
    return _Demo(re.compile(pattern, re.IGNORECASE), reached)


DEMOS = {
    "grid": _demo(_STEP, _grid),
    "hrd": _demo(_STEP, _slide),
    "cup": _demo(r"\(?\s*\b([a-e][1-5])\b\s*(?:,|and|with|<->|-)\s*\b([a-e][1-5])\b\s*\)?", _swap),
    "file_sys": _demo(rf"\b(touch|rm)\b(?:\s+-[rf]+)*\s+(path[0-9])/({_FILES})", _files),
    "card": _demo(rf"\b(add|remove)\s+(?:the\s+)?({_CARD})\s+(?:to|from)\s+`?(pile[0-9])`?", _cards),
    "chip": _demo(r"\b(add|remove)\s+([0-9]{1,3})\s+(?:to\s+|from\s+)?`?(cup[0-9])`?", _chips),
}
"""Demonstrations by name."""
