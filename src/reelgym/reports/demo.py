"""The page of a demo folder: what the tiny model knew before, what it learned, and whether it looks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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


def of_demo(folder: Path, store: Store) -> Payload:
    """Return the page of a finished demo, from its files alone: `demo.json`, `eval/`, `run/`, `world/`, `own/`."""
    numbers = read_json(folder / "demo.json")
    found = results.read(folder / "eval")
    before, after, blind = found["before"], found["after"], found["after_blind"]
    held_out = of_evaluation(folder / "eval", store, folder / "world" / "test" / "puzzles")
    own = [folder / "own"] if (folder / "own").is_dir() else []
    run = of_run(folder / "run", store, [folder / "world" / "train" / "puzzles", *own])
    asked = folder / "eval-own"
    mine = of_evaluation(asked, store, folder / "own") if asked.is_dir() else Payload(title="", headline="")
    blind_low, blind_high = numbers["blind_interval"]
    return Payload(
        title="Reelgym demo",
        headline=build.headline(before, after, name="The tiny model"),
        lead=(
            "Frames of a video are hidden; the model must find them among look-alikes and put them in order. The "
            f"puzzles were cut out of raw video without a label. It trained on {numbers['train_puzzles']:,} of them "
            f"by GRPO, and is measured on {len(after):,} others, of {len(set(after.clusters)):,} videos it never saw."
        ),
        facts=(
            ("Blind, 99% interval", f"{percent(blind_low)} to {percent(blind_high)}"),
            ("Chance", percent(numbers["chance"])),
            ("Context shuffled", percent(numbers["shuffled_after"])),
            ("GRPO steps", f"{numbers['steps']:,}"),
            ("Time", f"{numbers['seconds']:.0f} s"),
        ),
        measures=build.measures(before, after, blind=blind),
        measures_caption=build.measures_caption(after),
        bars=build.bars(before, after, blind=blind, floors={name: found[name] for name in FLOORS}),
        tables=(_every(found), *(replace(table, title="Your own videos") for table in mine.tables)),
        curves=build.curves(read_metrics(folder / "run" / "metrics.jsonl"), chance=numbers["chance"]),
        puzzles=(
            *(replace(one, kind="held out") for one in held_out.puzzles),
            *(replace(one, kind="your video") for one in mine.puzzles),
            *(replace(one, kind="training") for one in run.puzzles),
        ),
        limits=(*LIMITS, *held_out.limits),
        provenance=(("seed", str(numbers["seed"])), *run.provenance),
    )


def _every(found: dict[str, results.Evaluation]) -> Table:
    return build.evaluation_table(
        "Every evaluation",
        found,
        caption="Before is the untouched model under its better prompt of the two; the other is shown as well. Blind "
        "and shuffled context are probes; the last rows need no model.",
    )
