"""From a folder to what can be looked at in it."""

from __future__ import annotations

from pathlib import Path

from reelgym.errors import RequestError
from reelgym.reports.folders import read_json
from reelgym.reports.viewer.browser import Browser
from reelgym.reports.viewer.dataset import DatasetBrowser
from reelgym.reports.viewer.evaluation import EvaluationBrowser
from reelgym.reports.viewer.run import RunBrowser
from reelgym.video import Store


def open_browser(
    path: str | Path, store: Store, *, videos: str | Path | None = None, data: str | Path | None = None
) -> Browser:
    """Return what shows a folder; the files in it say of which kind it is.

    Args:
        path: A dataset, run or evaluation.
        store: Where decoded frames are kept.
        videos: Where the videos lie now, if they were moved.
        data: The dataset of a run or evaluation, if it has moved.

    Raises:
        RequestError: The folder is none of these, or damaged; one line names the right command.
    """
    folder = Path(path)
    if (folder / "demo.json").is_file():
        raise RequestError(f"{folder} {_kind(folder)}")
    if (folder / "results.json").is_file():
        return EvaluationBrowser(folder, store, videos, data or _of_demo(folder))
    if (folder / "dataset.json").is_file():
        return DatasetBrowser(folder, store, videos)
    if (folder / "config.json").is_file() and str(read_json(folder / "config.json").get("type")).endswith("Run"):
        return RunBrowser(folder, store, videos, data)
    raise RequestError(f"{folder} {_kind(folder)}")


def _of_demo(folder: Path) -> Path | None:
    """Return the held-out puzzles of the demo that an evaluation lies in, None where it lies in none."""
    demo = folder.resolve().parent
    named = demo / ("own" if folder.resolve().name == "eval-own" else "world/test/puzzles")
    return named if (demo / "demo.json").is_file() and named.is_dir() else None


def _kind(folder: Path) -> str:
    """Return what a folder that cannot be looked through seems to be, and what to do."""
    if not folder.exists():
        return "does not exist: give a dataset, run or evaluation folder"
    if folder.is_file():
        return "is a file: give the dataset, run or evaluation folder that it lies in"
    if (folder / "demo.json").is_file():
        return f"is a demo: `reelgym report {folder}` draws it; `reelgym view {folder / 'eval'}` shows its replies"
    if (folder / ".synth").is_dir():
        return "is no dataset yet: repeat the `reelgym synth` that makes it"
    if (folder / "model.safetensors").is_file() or (folder / "adapter_config.json").is_file():
        return "is a model: `reelgym eval DATASET --model` asks it"
    return "holds none of dataset.json, config.json, results.json: give a dataset, run or evaluation folder"
