"""Data named by a recipe and loaded by the loop: a recipe describes a run, and describing must stay cheap."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from reelgym.data import difficulty
from reelgym.data.dataset import Dataset, read_dataset
from reelgym.errors import RequestError
from reelgym.recipes import proving
from reelgym.training.config import Data, Media


class Later(Data):
    """Data that is made when it is first looked at, and equal to any other that would be made in the same way."""

    later = True

    def __init__(self, build: Callable[..., Data], *arguments: Hashable) -> None:
        """Name the function that makes the data and its arguments; nothing is called yet."""
        vars(self)["key"] = (build, arguments)

    @cached_property
    def _made(self) -> Data:
        build, arguments = vars(self)["key"]
        made: Data = build(*arguments)
        return made

    @property
    def items(self) -> Sequence[Any]:
        """Samples or examples."""
        return self._made.items

    @property
    def media(self) -> Media:
        """What turns a named image or clip into pixels."""
        return self._made.media

    @property
    def digest(self) -> str:
        """The name of the content."""
        return self._made.digest

    @property
    def folders(self) -> tuple[str, ...]:
        """Where the items come from."""
        return self._made.folders

    @property
    def pass_rates(self) -> Callable[[str], Mapping[str, float]] | None:
        """Stored measurements of difficulty."""
        return self._made.pass_rates

    def __eq__(self, other: object) -> bool:
        """Compare how the data would be made."""
        return isinstance(other, Later) and vars(self)["key"] == vars(other)["key"]

    def __hash__(self) -> int:
        """Return the hash of how the data would be made."""
        return hash(vars(self)["key"])

    def __repr__(self) -> str:
        """Return the call that would make the data."""
        build, arguments = vars(self)["key"]
        return f"{build.__name__.lstrip('_')}({', '.join(map(str, arguments))})"


def dataset(path: str, split: str = "train", limit: int = 0, seed: int = 0) -> Data:
    """Return samples of a dataset folder, read when they are needed.

    Args:
        path: The folder that `reelgym synth` made.
        split: `train`, `test` or `all`.
        limit: At most so many samples, a seeded subset; 0 for all.
        seed: Of the subset.
    """
    return Later(_dataset, path, split, limit, seed)


def _dataset(path: str, split: str, limit: int, seed: int) -> Data:
    found = read_dataset(path)
    samples = list(found.samples if split == "all" else found.split(split))
    if not samples:
        counts = ", ".join(f"{len(found.split(name))} {name}" for name in ("train", "test"))
        remedy = "make it again of two or more videos with `reelgym synth ... --holdout 1`, which holds out so many"
        raise RequestError(f"{path} holds no samples of split {split!r} ({counts}): {remedy}")
    if 0 < limit < len(samples):
        places = np.random.default_rng(seed).choice(len(samples), limit, replace=False)
        samples = [samples[place] for place in sorted(places)]
    return replace(
        held(found, samples), pass_rates=lambda name: difficulty.only(found.path, name, found.digest).pass_rates
    )


def held(found: Dataset, items: Sequence[Any] | None = None) -> Data:
    """Return the samples of a dataset folder, or what was made of them, with frames from this machine's store."""
    media = found.media(proving.store())
    return Data(found.samples if items is None else items, media, folders=(str(found.path.resolve()),))
