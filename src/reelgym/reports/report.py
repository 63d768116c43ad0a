"""From a folder on disk to its page: a dataset, a run, an evaluation, a demo, or a lab."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from reelgym.errors import RequestError
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.versus import Pair
from reelgym.reports.comparison import of_comparison
from reelgym.reports.demo import of_demo
from reelgym.reports.evaluation import of_results
from reelgym.reports.folders import of_dataset, of_run
from reelgym.reports.lab import of_lab
from reelgym.reports.page import write_page
from reelgym.reports.payload import Payload
from reelgym.video import Store


def report(
    path: str | Path,
    out: str | Path | None = None,
    *,
    dataset: str | Path | None = None,
    others: Sequence[str | Path] = (),
) -> Path:
    """Write the page of a folder and return its path.

    Args:
        path: A dataset, run, evaluation, demo or lab folder.
        out: The HTML file; `report.html` in the folder where not given.
        dataset: Where the puzzles of a run or evaluation are, if not where it says.
        others: Of a demo: the folders of other seeds, shown as one row each.

    Raises:
        RequestError: The folder is none of these, or damaged; or several are given that are not one demo's seeds.
    """
    folder = Path(path)
    page = Path(out) if out is not None else folder / "report.html"
    with tempfile.TemporaryDirectory(prefix="reelgym-report-") as cache:
        return write_page(page, load(folder, Store(cache), dataset=dataset, others=others))


def compared(
    chosen: Mapping[str, Evaluation],
    pairs: Sequence[Pair],
    out: str | Path,
    *,
    beside: Mapping[str, Evaluation] | None = None,
    dataset: str | Path | None = None,
) -> Path:
    """Write the page of a comparison and return its path.

    Args:
        chosen: What is compared, by name.
        pairs: Every pair of them, tested.
        out: The HTML file.
        beside: Probes and floors that are shown with them.
        dataset: Where the questions are, if not where the evaluations say.
    """
    with tempfile.TemporaryDirectory(prefix="reelgym-report-") as cache:
        return write_page(out, of_comparison(chosen, pairs, Store(cache), beside=beside, dataset=dataset))


def load(
    folder: Path, store: Store, *, dataset: str | Path | None = None, others: Sequence[str | Path] = ()
) -> Payload:
    """Return what the page of a folder shows; the files in it say of which kind it is."""
    if (folder / "demo.json").is_file():
        return of_demo(folder, store, [Path(other) for other in others])
    if others:
        raise RequestError(f"{folder} is no demo: several folders make one page only if they are a demo's seeds")
    if (folder / "lab.json").is_file():
        return of_lab(folder)
    if (folder / "results.json").is_file():
        return of_results(folder, store, dataset)
    if (folder / "dataset.json").is_file():
        return of_dataset(folder, store)
    if (folder / "config.json").is_file():
        return of_run(folder, store, [dataset] if dataset else [])
    there = (
        "does not exist"
        if not folder.exists()
        else "holds none of dataset.json, config.json, results.json, demo.json, lab.json"
    )
    raise RequestError(f"{folder} {there}: give a dataset, run, evaluation, demo or lab folder")
