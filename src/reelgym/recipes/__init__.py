"""Recipes: functions that return a whole run as typed values; one file per family of methods.

Public: recipe (the mark that makes a function one), and in `resolve` what turns a name and overrides into a run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


def recipe(function: F) -> F:
    """Mark a function as a recipe, so that `reelgym train NAME` and `reelgym list recipes` find it.

    It takes keyword arguments with defaults and returns the run (`SFTRun` or `RLRun`). It only describes: nothing is
    loaded, downloaded or trained before the run is handed to its loop. The first line of its docstring is its entry in
    the list.
    """
    function.__recipe__ = True  # type: ignore[attr-defined]
    return function


__all__ = ["recipe"]
