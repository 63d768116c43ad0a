"""Benchmarks: one file each, a declaration (`evaluation.spec.Benchmark`) and no code."""

from __future__ import annotations

import importlib
from functools import lru_cache

from reelgym.errors import unknown
from reelgym.evaluation.spec import Benchmark
from reelgym.registry import modules


@lru_cache(maxsize=1)
def every() -> dict[str, Benchmark]:
    """Return all benchmarks by name, sorted. No two share a name, not even without case and punctuation."""
    found: dict[str, Benchmark] = {}
    for module in modules(__name__):
        for value in vars(importlib.import_module(module)).values():
            if isinstance(value, Benchmark):
                assert found.get(value.name, value) is value, f"two benchmarks are called {value.name}"
                found[value.name] = value
    assert len({_bare(name) for name in found}) == len(found), f"two names differ by punctuation only: {sorted(found)}"
    return dict(sorted(found.items()))


def get(name: str) -> Benchmark:
    """Return the benchmark of this name, or of this id of its source.

    Raises:
        RequestError: No such benchmark; names the nearest.
    """
    found = every()
    for one in found.values():
        if name == one.name or (name == one.source.hub and sum(b.source.hub == name for b in found.values()) == 1):
            return one
    raise unknown("benchmark", name, found)


def _bare(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


__all__ = ["every", "get"]
