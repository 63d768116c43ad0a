"""What the scripts that run inside of a peer's environment share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_KEPT: list[Any] = []


def torchvision() -> None:
    """Import torchvision also where a CPU build of torch meets a GPU build of it.

    Such a pair cannot load torchvision's compiled operators. Its Python transforms need none of them, but its import
    registers shapes for two; naming these two is enough.
    """
    import torch

    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
        import torchvision

        print(f"note: the compiled operators of torchvision {torchvision.__version__} do not load; its Python is used")


def expected() -> dict[str, Any]:
    """Return what `check.py` wrote."""
    return dict(json.loads((Path(sys.argv[1]) / "expected.json").read_text()))


def versions(*names: str) -> None:
    """Print the versions of what is checked."""
    from importlib.metadata import version

    print("peer: " + ", ".join(f"{name} {version(name)}" for name in names))


def same(what: str, found: Any, wanted: Any) -> None:
    """Print whether two values are equal."""
    print(f"ok: {what}: {found}" if found == wanted else f"FAULT: {what}: {found}, our adapter has {wanted}")


def grids(what: str, found: list[list[int]], wanted: list[list[int]]) -> None:
    """Print whether two lists of grids are equal, each grid once with how often it stands there."""
    if found != wanted:
        print(f"FAULT: {what}, grids (time, rows, columns): {found}, our adapter has {wanted}")
        return
    told = [f"{found.count(list(grid))} x {list(grid)}" for grid in sorted({tuple(grid) for grid in found})]
    print(f"ok: {what}, grids (time, rows, columns): {', '.join(told)}")


def read(path: str) -> np.ndarray[Any, Any]:
    """Return the pixels of a frame file, (H, W, 3) uint8."""
    return np.asarray(Image.open(path).convert("RGB"))


def in_order(what: str, frames: list[np.ndarray[Any, Any]], files: list[str]) -> None:
    """Print whether each of the peer's frames is most like the file of its own place, and how far off it is."""
    kept = [read(file).astype(np.float64) for file in files]
    frames = [np.asarray(frame, np.float64) for frame in frames]
    same(f"{what}, frames", len(frames), len(kept))
    same(f"{what}, sizes", sorted({frame.shape[:2] for frame in frames}), sorted({one.shape[:2] for one in kept}))
    if len(frames) != len(kept) or frames[0].shape != kept[0].shape:
        return
    apart = np.array([[np.abs(frame - one).mean() for one in kept] for frame in frames])
    wrong = [place for place in range(len(kept)) if apart[place, place] > apart[place].min()]
    same(f"{what}, frames out of their place", wrong, [])
    print(f"note: {what}, mean distance of levels from the files at most {apart.diagonal().max():.2f} of 255")
