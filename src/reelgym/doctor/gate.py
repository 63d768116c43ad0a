"""The door before `train` and `eval`: a model that fails is not trained or measured unless told to."""

from __future__ import annotations

from collections.abc import Iterator

from reelgym.doctor import local
from reelgym.doctor.check import Check


def checks(model: str, *, quick: bool = False, key_env: str | None = None) -> Iterator[Check]:
    """Yield the findings about a model, local or behind an endpoint.

    Args:
        model: As `--model` takes it.
        quick: Only what takes seconds.
        key_env: Environment variable that holds an endpoint's key.
    """
    del key_env
    return local.checks(model, quick=quick)
