"""From inputs to a dataset folder: listed, identified, cut by an engine, noted, and written in the order of content."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reelgym.data.dataset import read_manifest
from reelgym.data.sample import Split
from reelgym.data.settings import refuse_changes
from reelgym.errors import RequestError
from reelgym.synthesis.journal import WORK, Journal, claimed, clean
from reelgym.synthesis.listing import Entry, Listing, list_inputs
from reelgym.synthesis.pool import MEMORY_BYTES, Engine, Pool, cores
from reelgym.synthesis.progress import Tally
from reelgym.synthesis.run import Run
from reelgym.synthesis.settings import resolve
from reelgym.synthesis.write import write

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `synthesize` or `merge` made.

    Attributes:
        path: The dataset folder.
        counts: samples, train, test, sources, quarantined, duplicates, not_sampled, files.
        digest: Of the content.
        fresh: False where the finished dataset lay there already.
        manifest: All of `dataset.json`.
        tally: What this call did and what it cost; never part of the dataset.
    """

    path: Path
    counts: dict[str, int]
    digest: str
    fresh: bool
    manifest: dict[str, Any]
    tally: Tally | None = None


def synthesize(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    task: str | Mapping[str, float] = "mvp",
    config: Any = None,
    fps: float | Literal["auto"] | None = None,
    per_video: int = 4,
    seed: int = 0,
    workers: int | None = None,
    engine: str = "local",
    split_share: float = 0.2,
    split: Split | None = None,
    holdout: int | None = None,
    sample: float | None = None,
    max_hours: float | None = None,
    limit: int | None = None,
    shard: str | None = None,
    avoid: Sequence[str] | None = None,
    audit: str | None = None,
    identity: Literal["auto", "full", "quick"] = "auto",
    seconds_per_file: float = 300.0,
    memory_bytes: int = MEMORY_BYTES,
    store: str | Path | None = None,
    store_limit: int | None = None,
    progress: Progress | None = None,
    report: Callable[[Tally], None] | None = None,
) -> Manifest:
    """Make a dataset from video files and folders; repeat the call to resume it, to the file.

    Samples are ordered by the identity of their source, so the bytes depend on the files' content and the settings and
    not on the engine, the number of workers, the order of inputs or the number of interruptions. Files of equal
    content count once; `inputs.jsonl` says what every file became.

    Args:
        inputs: Files, folders, tars, and URIs of files or prefixes.
        out: The dataset folder.
        task: Name of the task, or a mixture with weights, `mvp=3,jigsaw=1` or a mapping: every video is decoded once
            and its samples are shared out by `settings.allocation`.
        config: The task's `Config`, or a mapping of its settings; for a mixture a mapping of such mappings by task.
            None means the defaults.
        fps: Frames per second, `auto` to choose by each video's length, None for the task's own setting.
        per_video: Samples per video at most, over all tasks.
        seed: Of everything drawn.
        workers: Processes; None is one per available core.
        engine: `local` (processes of this machine) or `ray` (a Ray cluster, or one started here).
        split_share: Share of the sources held out as `test`, chosen by the hash of their content; videos that show the
            same lie on one side.
        split: Puts all sources on one side instead.
        holdout: How many contents to hold out instead, where there are few: those with the smallest hashes. They may
            change with the folder, so it is for one dataset, and not for labels and puzzles of one video.
        sample: Share of the files to open, chosen by the hash of seed, relative name and size.
        max_hours: Takes files in the order of that hash up to so many hours; the first one always.
        limit: Takes whole videos in the order of that hash up to so many samples.
        shard: `I/N`: only the files whose content falls to shard I; `merge` joins the N datasets.
        avoid: What samples may not run into (`structure.FACETS`); None leaves it to each task.
        audit: What to do about samples that a shortcut solves (`audit.RULES`); None marks them.
        identity: How content is named, all of it in one way: by all bytes (`full`), by size, version and three pieces
            (`quick`), or quick where any file is remote or larger than 1 GiB (`auto`).
        seconds_per_file: A file that takes longer is quarantined.
        memory_bytes: Limit of a worker's address space; 0 for none. A file that needs more is quarantined.
        store: Folder of a frame store to fill in the same decoding pass with the frames that the prompts name.
        store_limit: Bytes it may hold; None is the store's own rule.
        progress: Called with (steps done, steps in all); every file takes two, a look and a cut.
        report: Called beside `progress` with what was done and what it cost so far.

    Returns:
        What was made; `fresh` is False where it was finished before.

    Raises:
        RequestError: Wrong settings, no video in the inputs, another run is at the folder, or it was begun with other
            settings (listed).
        WorkError: No file gave a sample, or the disk is full.
    """
    folder = Path(out)
    choice = {"sample": sample, "max_hours": max_hours, "limit": limit, "shard": shard}
    wanted: dict[str, Any] = choice | {"split_share": split_share, "split": split, "holdout": holdout}
    wanted |= {"avoid": avoid, "audit": audit}
    settings = resolve(task, config, fps, per_video=per_video, seed=seed, **wanted)
    listing = list_inputs(inputs, seed)
    settings["inputs"], settings["identity"] = listing.fingerprint, listing.scheme(identity)
    chosen = choose(listing, settings)
    if (done := finished(folder, settings)) is not None:
        return done
    with claimed(folder) as work:
        if (done := finished(folder, settings, work)) is not None:
            return done
        clean(folder)
        journal = _begin(folder, Journal(work), settings)
        tally = Tally(files=len(chosen))
        with _engine(engine, workers, seconds_per_file, memory_bytes) as pool:
            run = Run(pool, journal, settings, tally, None if store is None else (str(store), store_limit))
            run.do(chosen, _teller(tally, report, progress))
        whole = write(folder, run, listing)
        journal.remove()
    return made(folder, whole, fresh=True, tally=tally)


def _teller(tally: Tally, report: Callable[[Tally], None] | None, progress: Progress | None) -> Progress:
    """Return what tells both how far the run is."""

    def tell(done: int, total: int) -> None:
        if report is not None:
            report(tally)
        if progress is not None:
            progress(done, total)

    return tell


def choose(listing: Listing, settings: Mapping[str, Any]) -> tuple[Entry, ...]:
    """Return the entries to open, by path, or by draw where a budget may end the run before the last one.

    Raises:
        RequestError: The share is so small that it chooses none.
    """
    share = settings["sample"]
    chosen = tuple(entry for entry in listing.entries if share is None or entry.draw < share)
    if not chosen:
        raise RequestError(f"sample={share:g} chooses none of {len(listing.entries)} files: raise it")
    if settings["max_hours"] is None and settings["limit"] is None:
        return chosen
    return tuple(sorted(chosen, key=lambda entry: (entry.draw, entry.path)))


def _begin(folder: Path, journal: Journal, settings: dict[str, Any]) -> Journal:
    """Return the journal, made or taken up again."""
    before = journal.settings()
    if before is not None:
        # Files may come and go before the dataset is finished: results are kept by content.
        refuse_changes(folder, before | {"inputs": None}, settings | {"inputs": None}, "was begun")
    journal.begin(settings)
    return journal


def finished(folder: Path, settings: Mapping[str, Any], work: Path | None = None) -> Manifest | None:
    """Return the dataset that lies there finished, if one does; `work` is given by who holds the lock.

    Raises:
        RequestError: It was made with other settings.
    """
    if not (folder / "dataset.json").exists():
        return None
    whole = read_manifest(folder)
    if work is None and (folder / WORK).exists():
        return None  # A run was killed while it tidied up; that takes the lock.
    if work is not None:
        Journal(work).remove()
    refuse_changes(folder, whole.get("settings", {}), settings, "was made")
    return made(folder, whole, fresh=False)


def _engine(name: str, workers: int | None, seconds: float, memory_bytes: int) -> Engine:
    if name == "local":
        return Pool(workers or cores(), seconds=seconds, memory_bytes=memory_bytes)
    if name != "ray":
        raise RequestError(f"engine={name!r}: local or ray")
    from reelgym.synthesis.ray import RayPool

    return RayPool(workers, seconds=seconds, memory_bytes=memory_bytes)


def made(folder: Path, whole: dict[str, Any], *, fresh: bool, tally: Tally | None = None) -> Manifest:
    """Return the report on a dataset folder whose `dataset.json` is given."""
    return Manifest(
        path=folder, counts=whole["counts"], digest=whole["digest"], fresh=fresh, manifest=whole, tally=tally
    )
