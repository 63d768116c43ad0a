"""The whole job on the embedded default: videos, puzzles, cold-started tiny model, GRPO, before and after, one page.

OUT holds `world/` and `own/` (videos and puzzles), `run/` (training), `eval/` (every reply before and after),
`index.html` (the page) and `demo.json` (its numbers).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelgym import __version__
from reelgym.data.dataset import Dataset, read_dataset
from reelgym.data.files import replacing
from reelgym.data.media import Media
from reelgym.data.sample import Sample, Split
from reelgym.data.settings import refuse_changes
from reelgym.evaluation import results
from reelgym.evaluation.compare import compare
from reelgym.evaluation.results import Evaluation
from reelgym.evaluation.runner import evaluate, floors
from reelgym.recipes import proving
from reelgym.recipes.mvp import EVAL_SAMPLES, SIZES
from reelgym.reports.report import report
from reelgym.synthesis import synthesize
from reelgym.training.config import Data, RLConfig, RLRun, mvp_rubric
from reelgym.video import Store

if TYPE_CHECKING:
    from reelgym.models.base import Policy

Progress = Callable[[int, int], None]
Stages = Callable[[str], Progress]

VARIANTS = ("direct", "tagged")
PROBES = ("blind", "shuffled_context")
COLUMNS = ("", "before", "after", "difference", "chance", "blind")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much of everything the demo makes. All numbers are ours, sized for five minutes on two cores.

    Attributes:
        model: The embedded model to start from.
        train_videos: Rendered videos to train on; `train_puzzles` the most of each.
        test_videos: Rendered videos to measure on, at least 100; `test_puzzles` the most of each.
        own_puzzles: Most puzzles of each of the user's own files.
        config: Of the training run.
        max_tokens: Cap of a reply in every evaluation.
    """

    model: str = "tiny"
    train_videos: int = 200
    train_puzzles: int = 10
    test_videos: int = 120
    test_puzzles: int = 3
    own_puzzles: int = 8
    config: RLConfig = field(default_factory=lambda: SIZES["tiny"])
    max_tokens: int = 64


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the demo made.

    Attributes:
        page: The HTML file.
        results: What `demo.json` holds.
        rows: The table at the end, under `columns`.
        columns: Names of the columns.
    """

    page: Path
    results: dict[str, Any]
    rows: list[tuple[str, ...]]
    columns: tuple[str, ...] = COLUMNS


@dataclass(frozen=True, eq=False)
class Material:
    """Puzzles to train on and to measure on, and where their pixels come from."""

    train: Sequence[Sample]
    test: Sequence[Sample]
    own: Sequence[Sample]
    media: Media
    folders: tuple[str, ...]
    """Datasets that the training puzzles come from."""


def run(
    out: str | Path,
    *,
    videos: str | Path | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    progress: Stages | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Result:
    """Run the demo into a folder, or take it up where it was left; a finished one is read back.

    Args:
        out: The folder.
        videos: The user's own files or folder: puzzles out of them join the training and the page.
        seed: Of videos, puzzles, training and probes.
        settings: How much of everything.
        progress: From a stage's name to what is told (done, total).
        should_stop: Asked after every training step.

    Raises:
        RequestError: The folder holds a demo of other settings.
    """
    folder, settings = Path(out), settings or Settings()
    stages: Stages = progress or (lambda _: lambda done, total: None)
    asked = {
        "seed": seed,
        "own_videos": None if videos is None else str(Path(videos).absolute()),
        "version": __version__,
    }
    if (done := _finished(folder, asked)) is not None:
        return Result(page=folder / "index.html", results=done, rows=_table(done))
    clock = _Clock()
    with clock("videos and puzzles"):
        material = _material(folder, videos, seed, settings, stages)
    from reelgym import models
    from reelgym.training import rl

    policy = models.load(settings.model)
    with clock("evaluation before"):
        before = _before(folder, policy, material, seed, settings, stages)
    with clock("training"):
        rl.train(
            _training(material, seed, settings, asked), folder / "run", stages("train by GRPO"), should_stop=should_stop
        )
    if should_stop is not None and should_stop():
        return Result(page=folder / "index.html", results={}, rows=[])
    with clock("evaluation after"):
        after = _after(
            folder, models.load(f"{folder / 'run'}@{_last(folder / 'run')}"), material, seed, settings, stages
        )
    about = asked | {"train_puzzles": len(material.train), "steps": settings.config.steps}
    numbers = _numbers({**before, **after}) | about
    draw = stages("write the page")
    draw(0, 1)
    with clock("page"):
        _store(folder, numbers, clock)
        page = report(folder, folder / "index.html")
    draw(1, 1)
    return Result(page=page, results=_store(folder, numbers, clock), rows=_table(numbers))


def _store(folder: Path, numbers: Mapping[str, Any], clock: _Clock) -> dict[str, Any]:
    """Write demo.json with the seconds spent so far, and return what it holds."""
    whole = {**numbers, "seconds": round(sum(clock.seconds.values()), 1), "stages": dict(clock.seconds)}
    text = json.dumps(whole, indent=1, allow_nan=False)
    with replacing(folder / "demo.json") as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return dict(json.loads(text))


def _finished(folder: Path, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the numbers of a demo that is done, None where there is still work."""
    place = folder / "asked.json"
    if place.is_file():
        before = json.loads(place.read_text(encoding="utf-8"))
        refuse_changes(folder, {name: before.get(name) for name in asked}, asked, "was begun")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(place) as temporary:
            temporary.write_text(json.dumps(asked) + "\n", encoding="utf-8")
    if not (folder / "demo.json").is_file() or not (folder / "index.html").is_file():
        return None
    numbers: dict[str, Any] = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    return numbers


def _material(folder: Path, videos: str | Path | None, seed: int, settings: Settings, stages: Stages) -> Material:
    """Render and cut the world's puzzles, and the user's own."""

    def ground(split: Split, videos: int, puzzles: int) -> Dataset:
        place = folder / "world"
        made = proving.prepare(place, split=split, videos=videos, per_video=puzzles, seed=seed, progress=stages)
        return made.dataset

    train = ground("train", settings.train_videos, settings.train_puzzles)
    test = ground("test", settings.test_videos, settings.test_puzzles)
    store = Store(folder / "frames")
    media, folders = [train.media(store), test.media(store)], [train.path]
    own: tuple[Sample, ...] = ()
    if videos is not None:
        synthesize(
            [videos],
            folder / "own",
            config=proving.OWN,
            fps="auto",
            per_video=settings.own_puzzles,
            seed=seed,
            progress=stages("cut puzzles out of your videos"),
        )
        mine = read_dataset(folder / "own")
        own, media, folders = mine.samples, [*media, mine.media(store)], [*folders, mine.path]
    named = tuple(str(path.resolve()) for path in folders)
    return Material(train.samples, test.samples, own, Media.joined(media), named)


def _training(material: Material, seed: int, settings: Settings, asked: Mapping[str, Any]) -> RLRun:
    own = [sample for sample in material.own if sample.split == "train"]
    return RLRun(
        policy=settings.model,
        data=Data([*material.train, *own], material.media, folders=material.folders),
        eval_data=Data(material.test[:: max(1, len(material.test) // EVAL_SAMPLES)], material.media),
        rubric=mvp_rubric(),
        config=replace(settings.config, seed=seed),
        origin={"recipe": "demo", "settings": dict(asked)},
    )


def _before(
    folder: Path, policy: Policy, material: Material, seed: int, settings: Settings, stages: Stages
) -> dict[str, Evaluation]:
    """Ask the untouched model under both prompts; probe it under the better one, which is what `before` means."""
    place = folder / "eval"
    if (place / "results.json").is_file():
        return results.read(place)
    ask = _asker(policy, material.test, material.media, "before", seed, settings, stages)
    both = {variant: ask(variant, None) for variant in VARIANTS}
    better = max(both, key=lambda variant: both[variant].mean().mean)
    other = next(variant for variant in both if variant != better)
    found = {"before": both[better], f"before_{other}": both[other]}
    found |= {f"before_{probe}": ask(better, probe) for probe in PROBES}
    found |= floors(material.test, material.media, progress=stages("baselines"))
    results.write(place, found)
    _own(folder, "before", policy, material, better, settings, stages)
    return found


def _after(
    folder: Path, policy: Policy, material: Material, seed: int, settings: Settings, stages: Stages
) -> dict[str, Evaluation]:
    """Ask the trained model under the prompt it was trained with, and probe it."""
    ask = _asker(policy, material.test, material.media, "after", seed, settings, stages)
    found = {"after": ask("tagged", None)}
    found |= {f"after_{probe}": ask("tagged", probe) for probe in PROBES}
    results.write(folder / "eval", results.read(folder / "eval") | found)
    _own(folder, "after", policy, material, "tagged", settings, stages)
    return found


def _own(
    folder: Path, name: str, policy: Policy, material: Material, variant: str, settings: Settings, stages: Stages
) -> None:
    """Ask the held-out puzzles of the user's own videos, where there are any."""
    samples = [sample for sample in material.own if sample.split == "test"]
    if not samples:
        return
    place = folder / "eval-own"
    stored = results.read(place) if (place / "results.json").is_file() else {}
    ask = _asker(policy, samples, material.media, f"{name}, your videos", 0, settings, stages)
    results.write(place, stored | {name: ask(variant, None)})


def _asker(
    policy: Policy, samples: Sequence[Sample], media: Media, name: str, seed: int, settings: Settings, stages: Stages
) -> Callable[[str, str | None], Evaluation]:
    def ask(variant: str, probe: str | None) -> Evaluation:
        return evaluate(
            policy,
            samples,
            media,
            variant=variant,
            probe=probe,
            max_tokens=settings.max_tokens,
            batch=64,
            seed=seed,
            model=name.partition(",")[0],
            progress=stages(f"ask {name}: {variant}{', ' + probe.replace('_', ' ') if probe else ''}"),
        )

    return ask


def _last(run: Path) -> str:
    """Return the run's last checkpoint: what is measured is not chosen by what it is measured on."""
    return max((path.name for path in (run / "checkpoints").glob("step-*")), key=lambda name: int(name[5:]))


def _numbers(found: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Return what demo.json holds about the model, all of it from the stored evaluations."""
    before, after = found["before"], found["after"]
    paired = compare(before, after)
    gain, valid = paired.differences["value"], paired.valid_both
    blind = found["after_blind"].mean(level=0.99)
    other = next(name for name in found if name in ("before_direct", "before_tagged"))
    return {
        "before": before.mean().mean,
        "after": after.mean().mean,
        "difference": gain.mean,
        "interval": gain.limits,
        "interval_valid_both": None if valid is None else valid.limits,
        "chance": after.chance(),
        "before_prompt": before.variant,
        "before_other_prompt": found[other].mean().mean,
        "blind_before": found["before_blind"].mean().mean,
        "blind_after": blind.mean,
        "blind_interval": blind.limits,
        "shuffled_before": found["before_shuffled_context"].mean().mean,
        "shuffled_after": found["after_shuffled_context"].mean().mean,
        "invalid_before": before.mean("invalid").mean,
        "invalid_after": after.mean("invalid").mean,
        **{part: after.mean(part).mean for part in ("exact", "selection", "order")},
        **{f"{part}_before": before.mean(part).mean for part in ("exact", "selection", "order")},
        **{floor: found[floor].mean().mean for floor in ("order_by_similarity", "context_free")},
        "puzzles": len(after),
        "videos": len(set(after.clusters)),
    }


def _table(numbers: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows that the command prints."""

    def percent(name: str) -> str:
        return f"{100 * numbers[name]:.1f}%" if name in numbers else ""

    gain = f"{100 * numbers['difference']:+.1f}"
    if numbers["interval"]:
        gain += " ({:+.1f} to {:+.1f})".format(*(100 * limit for limit in numbers["interval"]))
    rows: list[tuple[str, ...]] = [
        ("score", percent("before"), percent("after"), gain, percent("chance"), percent("blind_after"))
    ]
    rows += [(part, percent(f"{part}_before"), percent(part), "", "", "") for part in ("exact", "selection", "order")]
    rows.append(("invalid replies", percent("invalid_before"), percent("invalid_after"), "", "", ""))
    return rows


class _Clock:
    """Seconds of named stages."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[stage] = round(time.monotonic() - began, 1)
