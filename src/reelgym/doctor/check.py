"""One finding, and what became of many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reelgym.errors import ReelgymError

FAULTS = (
    ReelgymError,
    ImportError,
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
)
"""What a broken part raises: then the error is the finding."""


@dataclass(frozen=True)
class Check:
    """One finding. `passed` is None for what is only told: an optional thing, or a number to know."""

    name: str
    passed: bool | None
    found: str

    @property
    def word(self) -> str:
        """Return PASS, FAIL or INFO."""
        return "INFO" if self.passed is None else "PASS" if self.passed else "FAIL"


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """Return the finding of a check; an error inside is a FAIL that tells it."""
    try:
        return check()
    except FAULTS as error:
        return Check(name, False, f"{type(error).__name__}: {error}".replace("\n", " "))
