"""The page of a demo folder: what the tiny model knew before, what it learned, and whether it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reelgym.errors import RequestError
from reelgym.evaluation import results
from reelgym.reports import build
from reelgym.reports.folders import of_evaluation, of_run, read_json, read_metrics
from reelgym.reports.payload import Payload, Table
from reelgym.reports.svg import percent
from reelgym.video import Store

LIMITS = (
    "A model of about a million parameters on short rendered videos: the page shows that the pipeline works, and "
    "nothing about the figures of any paper.",
    "The model was cold-started by supervised training on other rendered videos of the same kind. Before and after "
    "here mean before and after reinforcement learning, which saw no labels.",
    "MVP's own reward and settings were not published; the reward and every number here are ours.",
)
FLOORS = ("order_by_similarity", "context_free")


SAME = ("version", "own_videos", "steps", "videos")
"""What demos that differ in their seed have in common."""


def of_demo(folder: Path, store: Store, others: Sequence[Path] = ()) -> Payload:
    """Return the page of a finished demo, from its files alone: `demo.json`, `eval/`, `run/`, `world/`, `own/`.

    Args:
        folder: The demo.
        store: Where decoded frames are kept.
        others: The same demo under other seeds: a table shows them all, one row each.

    Raises:
        RequestError: A folder holds no finished demo, or one that differs in more than its seed.
    """
    numbers = read_json(folder / "demo.json")
    seeds = [_seeds(folder, others)] if others else []
    found = results.read(folder / "eval")
    before, after, blind = found["before"], found["after"], found["after_blind"]
    held_out = of_evaluation(folder / "eval", store, folder / "world" / "test" / "puzzles")
    own = [folder / "own"] if (folder / "own").is_dir() else []
    run = of_run(folder / "run", store, [folder / "world" / "train" / "puzzles", *own])
    asked = folder / "eval-own"
    mine = of_evaluation(asked, store, folder / "own") if asked.is_dir() else Payload(title="", headline="")
    return Payload(
        title="Reelgym demo",
        headline=build.headline(before, after, name="The tiny model"),
        lead=(
            "Frames of a video are hidden; the model must find them among look-alikes and put them in order. The "
            f"puzzles were cut out of raw video without a label. It trained on {numbers['train_puzzles']:,} of them "
            f"by GRPO, and is measured on {len(after):,} others, of {len(set(after.clusters)):,} videos it never saw."
        ),
        facts=(
            ("Blind, 99% interval", build.between(numbers["blind_interval"], percent)),
            ("Chance", percent(numbers["chance"])),
            ("Context shuffled", percent(numbers["shuffled_after"])),
            ("GRPO steps", f"{numbers['steps']:,}"),
            ("Time", f"{numbers['seconds']:.0f} s"),
        ),
        measures=build.measures(before, after, blind=blind),
        measures_caption=build.measures_caption(after),
        bars=build.bars(before, after, blind=blind, floors={name: found[name] for name in FLOORS}),
        tables=(*seeds, _every(found), *(replace(table, title="Your own videos") for table in mine.tables)),
        alarms=run.alarms,
        curves=build.curves(
            read_metrics(folder / "run" / "metrics.jsonl"), chance=numbers["chance"], alarms=run.alarms
        ),
        puzzles=(
            *(replace(one, kind="held out") for one in held_out.puzzles),
            *(replace(one, kind="your video") for one in mine.puzzles),
            *(replace(one, kind="training") for one in run.puzzles),
        ),
        limits=(*LIMITS, *held_out.limits),
        provenance=(("seed", str(numbers["seed"])), *run.provenance),
    )


def _seeds(folder: Path, others: Sequence[Path]) -> Table:
    """Return the table of all seeds, the page's own first; refuse what is not the same demo under another seed."""
    found = {place: read_json(place / "demo.json") for place in (folder, *others)}
    first = found[folder]
    for place, one in found.items():
        differing = [
            f"{name} {first.get(name)} and {one.get(name)}" for name in SAME if first.get(name) != one.get(name)
        ]
        if differing:
            raise RequestError(f"{folder} and {place} differ in more than their seed: {'; '.join(differing)}")
    if len({one["seed"] for one in found.values()}) <= len(others):
        raise RequestError(f"{', '.join(map(str, (folder, *others)))}: give one demo of each seed")
    caption = f"Everything else on this page is of seed {first['seed']}. Differences with their 95% intervals."
    return build.seeds(list(found.values()), caption=caption)


def _every(found: dict[str, results.Evaluation]) -> Table:
    return build.evaluation_table(
        "Every evaluation",
        found,
        caption="Before is the untouched model under its better prompt of the two; the other is shown as well. Blind "
        "and shuffled context are probes; the last rows need no model.",
    )
