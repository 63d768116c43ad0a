"""Scenes on disk: NAME.mp4 and, beside it, NAME.json with its facts; many at once, resumable, bytes by seed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

from reelgym.errors import RequestError, WorkError
from reelgym.video import write_mp4
from reelgym.world.base import Settings, get, plain, render, scene_seed
from reelgym.world.base import kinds as all_kinds
from reelgym.world.facts import Facts, canonical

FILE_VERSION = 1
"""Version of NAME.json; raised whenever old videos must be rendered again."""


@dataclass(frozen=True, kw_only=True)
class WorldVideo:
    """A rendered video on disk: where it is, its content's name (`full:` and SHA-256) and what is true of it."""

    path: str
    identity: str
    facts: Facts


@dataclass(frozen=True, kw_only=True)
class _Order:
    """One video to be made; travels to a worker process."""

    path: str
    kind: str
    split: str
    seed: int
    index: int
    seconds: tuple[float, float]
    fps: tuple[int, int]
    side: int
    settings: Settings

    def recipe(self) -> dict[str, Any]:
        """Return all that decides the video's bytes, as JSON."""
        return {
            "file_version": FILE_VERSION,
            "kind": self.kind,
            "kind_version": get(self.kind).version,
            "split": self.split,
            "seed": self.seed,
            "index": self.index,
            "seconds": list(self.seconds),
            "fps": list(self.fps),
            "side": self.side,
            "settings": plain(self.settings),
        }


def make(
    out_dir: str | Path,
    *,
    count: int,
    split: str = "train",
    seed: int = 0,
    kinds: Sequence[str] | None = None,
    seconds: tuple[float, float] = (8.0, 30.0),
    fps: tuple[int, int] = (8, 12),
    side: int = 112,
    settings: Settings | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[WorldVideo]:
    """Render and encode videos with their facts; what is already there and right is kept.

    Video i is of kind `kinds[i % len(kinds)]` and drawn from the hash of (kind, version, split, seed, i): neither the
    count, nor the workers, nor the order of work changes its bytes, and no two splits share a scene.

    Args:
        out_dir: Folder, made if absent. Names are KIND-SPLIT-SEED-INDEX.mp4 and .json.
        count: Number of videos.
        split: Name of the split, letters and digits.
        seed: Any integer.
        kinds: Names of kinds of scene, taken in turn; all by default.
        seconds: Shortest and longest video.
        fps: Lowest and highest frame rate, whole numbers.
        side: Height and width in pixels, even.
        settings: How hard the scenes are.
        workers: Processes; 1 renders in this one.
        progress: Told (done, total) after every video.

    Returns:
        The videos in the order of their index.

    Raises:
        RequestError: A value out of range.
        WorkError: A video could not be written, or two videos of the folder have the same content.
    """
    known = sorted(all_kinds())
    chosen = [get(name).name for name in (known if kinds is None else kinds)]
    if count < 1 or workers < 1 or not chosen or not split.isalnum():
        raise RequestError(
            f"count={count}, workers={workers}, kinds={chosen}, split={split!r}: give a count and workers from 1, at "
            f"least one kind of {', '.join(known)}, and a split of letters and digits"
        )
    if not 1 <= seconds[0] <= seconds[1] or not 1 <= fps[0] <= fps[1]:
        raise RequestError(f"seconds={seconds}, fps={fps}: give (low, high) with 1 <= low <= high")
    folder, settings = Path(out_dir), settings or Settings()
    folder.mkdir(parents=True, exist_ok=True)
    orders = [
        _Order(
            path=str(folder / f"{kind}-{split}-{seed}-{index:05d}.mp4"),
            kind=kind,
            split=split,
            seed=seed,
            index=index,
            seconds=seconds,
            fps=fps,
            side=side,
            settings=settings,
        )
        for index, kind in ((index, chosen[index % len(chosen)]) for index in range(count))
    ]
    made: dict[int, WorldVideo] = {}
    for index, video in _run(orders, workers):
        made[index] = video
        if progress is not None:
            progress(len(made), count)
    _check_content(folder)
    return [made[index] for index in range(count)]


def load_facts(video_path: str | Path) -> Facts:
    """Return the facts that lie beside a rendered video, checked against the video's own bytes.

    Raises:
        RequestError: No facts file, a damaged one, one of another version, or one that belongs to another video.
    """
    path = Path(video_path)
    written = _read_json(path.with_suffix(".json"))
    if not isinstance(written, dict) or "facts" not in written:
        raise RequestError(f"{path.with_suffix('.json')} holds no facts of a rendered video; make it with world.make")
    if written.get("identity") != _identity(path):
        raise RequestError(f"{path.with_suffix('.json')} belongs to another video than {path}; render it again")
    return Facts.from_json(written["facts"])


def _run(orders: Sequence[_Order], workers: int) -> Iterator[tuple[int, WorldVideo]]:
    """Yield (index, video) as they get done."""
    if workers == 1 or len(orders) == 1:
        yield from ((order.index, _fill(order)) for order in orders)
        return
    with ProcessPoolExecutor(min(workers, len(orders)), mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(_fill, order): order.index for order in orders}
        try:
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        except BrokenProcessPool as error:
            raise WorkError(
                "a rendering process died: out of memory, or a script that calls world.make with workers above 1 "
                "outside `if __name__ == '__main__':`; repeat to resume, or give workers=1"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _fill(order: _Order) -> WorldVideo:
    """Return the ordered video, from disk if it is there and right."""
    path = Path(order.path)
    try:
        written = _read_json(path.with_suffix(".json"))
        if isinstance(written, dict) and written.get("recipe") == order.recipe():
            return WorldVideo(path=order.path, identity=written["identity"], facts=load_facts(path))
    except RequestError:
        pass  # absent, damaged or another version: it is rendered anew
    try:
        return _render(order, path)
    except OSError as error:
        raise WorkError(f"cannot write {path}: {error.strerror or error}; free space, then repeat to resume") from error


def _render(order: _Order, path: Path) -> WorldVideo:
    """Render, encode, and write the video first and its facts last, each under a temporary name."""
    seed = scene_seed(order.kind, order.split, order.seed, order.index)
    random = Random(f"length/{seed}")
    fps = random.randint(*order.fps)
    seconds = random.uniform(*order.seconds)
    scene = render(order.kind, seed, seconds=seconds, fps=fps, side=order.side, settings=order.settings)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as scratch:
        video, facts = Path(scratch, path.name), Path(scratch, path.stem + ".json")
        write_mp4(str(video), scene.frames(), fps)
        identity = _identity(video)
        written = {"recipe": order.recipe(), "identity": identity, "facts": scene.facts.to_json()}
        facts.write_text(canonical(written), encoding="ascii")
        os.replace(video, path)
        os.replace(facts, path.with_suffix(".json"))
    return WorldVideo(path=order.path, identity=identity, facts=scene.facts)


def _check_content(folder: Path) -> None:
    """Hold that no two rendered videos of a folder, of whatever split, have the same content."""
    seen: dict[str, str] = {}
    for path in sorted(folder.glob("*-*-*.json")):
        written = _read_json(path)
        if isinstance(written, dict) and "facts" in written and "identity" in written:
            other = seen.setdefault(str(written["identity"]), path.stem)
            if other != path.stem:
                raise WorkError(f"{path.stem} and {other} in {folder} have the same content; give another seed")


def _identity(path: Path) -> str:
    """Return `full:` and the SHA-256 of a file's bytes."""
    try:
        return "full:" + hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}; give a video made by world.make") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}; make the video with world.make") from error
    except ValueError as error:
        raise RequestError(f"{path} is not JSON ({error}); render the video again") from error
