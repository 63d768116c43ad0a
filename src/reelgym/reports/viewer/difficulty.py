"""Pass rates measured on a dataset, `DATASET/difficulty-*.parquet`, as far as they can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelgym.data import difficulty
from reelgym.errors import RequestError
from reelgym.reports.viewer.columns import Column, Filter

BANDS = ("never", "up to a quarter", "up to a half", "up to three quarters", "nearly always", "always")
"""How often a policy solves a sample."""


@dataclass(frozen=True, eq=False)
class Difficulty:
    """How often policies solve samples.

    Attributes:
        rates: Model to (N,) pass rates, NaN where nobody tried.
        rewards: Model to (N,) mean rewards, NaN where none is known.
    """

    rates: dict[str, NDArray[np.float64]]
    rewards: dict[str, NDArray[np.float64]]

    def of(self, row: int) -> list[tuple[str, float | None, float | None]]:
        """Return (model, pass rate, mean reward) of a sample for every model that tried it."""
        found = [(name, _plain(rates[row]), _plain(self.rewards[name][row])) for name, rates in self.rates.items()]
        return [(name, rate, reward) for name, rate, reward in found if rate is not None or reward is not None]

    def figure(self, row: int) -> str:
        """Return the pass rate of the first model as text, empty where there is none."""
        rate = next((rates[row] for rates in self.rates.values()), np.nan)
        return "" if np.isnan(rate) else f"{rate:.0%}"

    def filters(self) -> dict[str, Filter]:
        """Return one filter for each model."""
        found: dict[str, Filter] = {}
        for number, (name, rates) in enumerate(self.rates.items()):
            codes = np.clip(np.ceil(rates * 4), 0, 4)
            codes[rates >= 1] = 5
            codes[np.isnan(rates)] = -1
            label = "Solved by the model" if len(self.rates) == 1 else f"Solved by {name}"
            found[f"difficulty.{number}"] = Column(label, BANDS, codes.astype(np.int32))
        return found

    def sorts(self) -> dict[str, NDArray[np.int64]]:
        """Return the orders by the first model's pass rate; samples that nobody tried come last."""
        if not self.rates:
            return {}
        rates = next(iter(self.rates.values()))
        return {
            "hardest first": np.argsort(np.where(np.isnan(rates), np.inf, rates), kind="stable"),
            "easiest first": np.argsort(np.where(np.isnan(rates), np.inf, -rates), kind="stable"),
        }


def read_difficulty(folder: Path, ids: Sequence[str]) -> Difficulty:
    """Return the pass rates stored in a dataset folder; a file that is damaged or another's is passed over.

    Args:
        folder: The dataset.
        ids: Of its samples, by row.
    """
    rates: dict[str, NDArray[np.float64]] = {}
    rewards: dict[str, NDArray[np.float64]] = {}
    names = difficulty.names(folder)
    places = {name: row for row, name in enumerate(ids)} if names else {}
    for name in names:
        try:
            measured = difficulty.read(folder, name)
        except RequestError:
            continue
        rates[name], rewards[name] = np.full(len(ids), np.nan), np.full(len(ids), np.nan)
        for told in measured.rows:
            if told.id in places and told.rollouts:
                row = places[told.id]
                rates[name][row], rewards[name][row] = told.pass_rate, told.mean_reward
    return Difficulty(rates, rewards)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
