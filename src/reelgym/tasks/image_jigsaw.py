"""Image jigsaw: put the tiles of a picture back in place.

What it does. Cuts a frame into a grid of tiles, shuffles them, shows each as an image of its own, and asks which tile
belongs at each place, row by row.
Why. Parts have to be understood as parts of one scene.
Example. A 2 x 2 grid whose upper left tile is shown third; answer `3, 1, 4, 2`.
How it is scored. `scoring.permutation`. strict: every tile is in place. smooth: the share of places that are right.
Limits. Flat tiles cannot be told apart; those that look the same are refused. Lines that run on from tile to tile give
answers away: `trim` cuts the tiles' edges off, each tile has its own light; `baselines` says how far edges still go.
References. SSL4RL (arXiv 2510.16416): 2 x 2 tiles, the share of places as reward. Jigsaw-R1 (arXiv 2505.23590): grids
from 2 x 1 on. Visual Jigsaw (arXiv 2509.25190): 3 x 3. Ours: the trimmed edges, the light.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from reelgym.data.edits import Edit, apply
from reelgym.data.messages import Image, Part, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.scoring.permutation import permutation_chance, permutation_parts
from reelgym.tasks.base import MediaReader
from reelgym.tasks.pretext import Draft, Ordering, Reel, likeness
from reelgym.tasks.timeline import ALIKE, ClipConfig

_LISTED = 6
"""Up to this many tiles every order is tried by the baselines; beyond it, place by place."""


@dataclass(frozen=True, kw_only=True)
class ImageJigsawConfig(ClipConfig):
    """The numbers of the construction; the grid is SSL4RL's, the rest is ours."""

    rows: int = 2
    """Of the grid."""
    columns: int = 2
    """Of the grid."""
    trim: float = 0.12
    """Share of a tile cut off at each side."""
    light: float = 0.4
    """How much darker a tile gets at most."""

    def __post_init__(self) -> None:
        """Refuse settings that no video can satisfy."""
        super().__post_init__()
        if not 1 <= self.rows <= 4 or not 1 <= self.columns <= 4 or not 2 <= self.rows * self.columns <= 9:
            raise RequestError(f"rows={self.rows}, columns={self.columns}: 1 to 4 each, 2 to 9 tiles")
        if not 0 <= self.trim <= 0.4 or not 0 <= self.light <= 0.9:
            raise RequestError(f"trim={self.trim}, light={self.light}: trim within 0 to 0.4, light 0 to 0.9")


class ImageJigsaw(Ordering):
    """Put the shuffled tiles of an image in place (SSL4RL, arXiv 2510.16416; Jigsaw-R1, arXiv 2505.23590)."""

    name: ClassVar[str] = "image_jigsaw"
    version: ClassVar[int] = 1
    Config: ClassVar[type[Any]] = ImageJigsawConfig
    config: ImageJigsawConfig

    @property
    def least(self) -> int:
        """Frames that a video has at least."""
        return 1

    def wanted_frames(self) -> int:
        """Return enough for frames that differ."""
        return 16

    def draft(self, reel: Reel, rng: np.random.Generator) -> Draft | None:
        """Return a question about a random frame, or None where two tiles look the same."""
        config = self.config
        place = int(rng.integers(len(reel)))
        crops = [self._tile(tile) for tile in range(config.rows * config.columns)]
        looks = [apply(reel.pixels[[place]], [0.0], [crop]) for crop in crops]
        if any(likeness(a, b) >= ALIKE for i, a in enumerate(looks) for b in looks[i + 1 :]):
            return None
        order = [int(tile) for tile in rng.permutation(len(crops))]
        parts: list[Part] = []
        for number, tile in enumerate(order, 1):
            gain = round(1 - config.light * float(rng.uniform(0, 1)), 4)
            edits = (crops[tile], Edit("tone", (gain, 0.0, 1.0))) if config.light else (crops[tile],)
            image = Image(video=reel.identity, spec=reel.shown, time=float(reel.times[place]), edits=edits)
            parts += [Text(f"\nTile {number}: "), image]
        question = (
            f"\nThese tiles are one image, cut into {config.rows} rows and {config.columns} columns and shuffled. "
            "Which tile belongs at each place, row by row from the upper left? Answer with all tile numbers."
        )
        return Draft(
            parts=(*parts, Text(question)),
            answer=[order.index(tile) + 1 for tile in range(len(order))],
            signature=(place, *order),
            evidence={"rows": config.rows, "columns": config.columns},
            facets={"tiles": len(order)},
            times=reel.seconds([place]),
        )

    def parts(self, said: Sequence[int], sample: Sample) -> dict[str, float]:
        """Return `strict` and the share of places as `smooth`."""
        return _chosen(permutation_parts(said, sample.answer, "position"))

    def chances(self, sample: Sample) -> dict[str, float]:
        """Return the mean over all orders."""
        return _chosen(permutation_chance(len(sample.answer), "position"))

    def baselines(self, sample: Sample, media: MediaReader) -> dict[str, str]:
        """Return shortcuts that know no object.

        * seams: the order whose neighbouring edges fit best, each tile divided by its mean.
        * light_from_above: from bright to dark.
        """
        images = [part for message in sample.messages for part in message.parts if isinstance(part, Image)]
        tiles = [media(image)[0].astype(np.float64) for image in images]
        level = [tile / max(1.0, float(tile.mean())) for tile in tiles]
        light = np.argsort([-tile.mean() for tile in tiles], kind="stable")
        orders = {
            "seams": _fitted(level, sample.evidence["columns"]),
            "light_from_above": [int(place) for place in light],
        }
        return {name: ", ".join(str(tile + 1) for tile in order) for name, order in orders.items()}

    def _tile(self, tile: int) -> Edit:
        row, column = divmod(tile, self.config.columns)
        trim = self.config.trim
        across = ((column + trim) / self.config.columns, (column + 1 - trim) / self.config.columns)
        down = ((row + trim) / self.config.rows, (row + 1 - trim) / self.config.rows)
        return Edit("crop", tuple(round(value, 6) for value in (across[0], down[0], across[1], down[1])))


def _chosen(parts: dict[str, float]) -> dict[str, float]:
    return {name: parts[name] for name in ("strict", "smooth")}


def _fitted(tiles: Sequence[NDArray[np.float64]], columns: int) -> list[int]:
    """Return the order whose edges fit best: of all orders, or for many tiles the best next tile at each place."""
    count = len(tiles)
    beside, below = np.zeros((count, count)), np.zeros((count, count))
    for a, left in enumerate(tiles):
        for b, right in enumerate(tiles):
            high, wide = min(left.shape[0], right.shape[0]), min(left.shape[1], right.shape[1])
            beside[a, b] = np.abs(left[:high, -1] - right[:high, 0]).mean()
            below[a, b] = np.abs(left[-1, :wide] - right[0, :wide]).mean()

    def cost(order: list[int]) -> float:
        across = sum(beside[a, b] for k, (a, b) in enumerate(pairwise(order), 1) if k % columns)
        return float(across + sum(below[a, b] for a, b in zip(order, order[columns:], strict=False)))

    if count <= _LISTED:
        return min(map(list, permutations(range(count))), key=cost)
    grown = [[first] for first in range(count)]
    for _ in range(count - 1):
        grown = [min(([*order, k] for k in range(count) if k not in order), key=cost) for order in grown]
    return min(grown, key=cost)
