"""From a dataset, a run or an evaluation on disk to what its page shows. Nothing is computed by a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reelgym import tasks
from reelgym.data.dataset import Dataset, Source, read_dataset
from reelgym.data.media import Media
from reelgym.data.sample import Sample
from reelgym.errors import MediaError, RequestError
from reelgym.evaluation import results
from reelgym.evaluation.probed import probes_of
from reelgym.evaluation.results import Evaluation
from reelgym.reports import audit, build, puzzles
from reelgym.reports.payload import Alarm, Payload, Puzzle, Reply, Role, Table
from reelgym.reports.svg import percent
from reelgym.reports.usage import usage_table
from reelgym.synthesis.inspect import inspect, table
from reelgym.video import Store

AUDIT = (
    "The share of puzzles that an answer without understanding gets wholly right, with its 95% interval over videos. "
    "Strong bars lie surely above what a guesser solves (the dashed line): the puzzles leak something."
)

SHOWN = 24
"""Puzzles on a page drawn from a folder."""


ROLLOUT = ("step", "sample", "member", "text", "stop", "segments", "rewards", "advantages")
"""Columns of a stored rollout that are shown."""

FACTS = {"train": "For training", "test": "Held out", "files": "Files", "quarantined": "Left out"}
"""Counts of a dataset's manifest, with their names on its page."""


@dataclass(frozen=True)
class Shelf:
    """The samples behind stored results, as far as they are at hand."""

    samples: Mapping[str, Sample] = field(default_factory=dict)
    media: Media | None = None
    missing: str = ""
    sources: tuple[Source, ...] = ()


def of_dataset(
    folder: Path, store: Store, *, videos: str | Path | None = None, about: Mapping[str, Any] | None = None
) -> Payload:
    """Return the page of a dataset: counts, chance, audit, structure, quarantine, and some of its puzzles.

    Args:
        folder: The dataset.
        store: Where decoded frames are kept.
        videos: The folder of its videos, if it has moved.
        about: What `inspect` said of it, where that is known.
    """
    found = read_dataset(folder)
    shelf = Shelf({sample.id: sample for sample in found.samples}, found.media(store, videos))
    try:
        about = about or inspect(found, shelf.media)
    except (RequestError, MediaError) as error:
        about, shelf = inspect(found, None), Shelf(shelf.samples, None, str(error))
    header, *rows = table(about)
    counts = about["counts"]
    quarantine = tuple((reason, f"{count:,}") for reason, count in about["quarantine"].items())
    tables = [Table(title="Chance and shortcuts", columns=header, rows=tuple(rows), caption=_baseline_note(about))]
    tables += audit.tables(about)
    if quarantine:
        tables.append(Table(title="Left out", columns=("Reason", "Files"), rows=quarantine))
    return Payload(
        title=folder.name,
        headline=f"{len(found.samples):,} puzzles from {len({s.source for s in found.samples}):,} videos",
        facts=(
            ("Video", duration(about["seconds"]["total"])),
            *((FACTS[n], f"{counts[n]:,}") for n in FACTS if n in counts),
        ),
        tables=tuple(tables),
        audits=audit.charts(about),
        audits_caption=AUDIT,
        puzzles=tuple(_audited(shelf, found.samples, audit.solved_by(about))),
        limits=_limits(shelf),
        provenance=(("dataset", str(folder)), ("digest", found.digest)),
    )


def of_evaluation(folder: Path, store: Store, dataset: str | Path | None) -> Payload:
    """Return the page of an evaluation: every stored set of replies, the plain one beside its probes."""
    stored = results.read(folder)
    shown, after = about_evaluation(folder, stored)
    shelf = find(dataset or after.settings.get("dataset_path"), store, digest=str(after.settings.get("dataset", "")))
    known = {name: results.by_id(one.rows) for name, one in stored.items() if one.probe is None}
    found = [
        _puzzle(shelf, row.id, [(n, rows[row.id]) for n, rows in known.items() if row.id in rows])
        for row in _some(after.rows)
    ]
    return replace(shown, puzzles=tuple(found), limits=_limits(shelf))


def about_evaluation(folder: Path, stored: Mapping[str, Evaluation]) -> tuple[Payload, Evaluation]:
    """Return what stored evaluations say together without any reply, and the one that leads.

    Args:
        folder: That they are of.
        stored: By name.
    """
    if not stored:
        raise RequestError(f"{folder}: no evaluation in results.json: run `reelgym eval` again")
    plain = {name: one for name, one in stored.items() if one.probe is None and one.variant != "none"} or stored
    # Without a trained one the best leads: the better of the two prompts of one model.
    lead = "after" if "after" in plain else max(plain, key=lambda name: plain[name].mean().mean)
    before, after = plain.get("before"), plain[lead]
    blind = next((one for one in probes_of(lead, stored).values() if one.probe == "blind"), None)
    if before is not None:
        headline = build.headline(before, after)
    else:
        chance = after.chance()
        beside = "" if chance is None else f"; guessing scores {percent(chance)}"
        headline = f"{after.model or 'The model'} scores {percent(after.mean().mean)} on {len(after)} samples{beside}."
    shown = Payload(
        title=folder.name,
        headline=headline,
        measures=build.measures(before, after, blind=blind),
        measures_caption=build.measures_caption(after),
        bars=build.all_bars(stored),
        tables=(build.evaluation_table("All evaluations", stored), *filter(None, [usage_table(stored)])),
        provenance=_settings(after),
    )
    return shown, after


def of_run(folder: Path, store: Store, datasets: Sequence[str | Path] = ()) -> Payload:
    """Return the page of a training run: its curves, and groups of rollouts from its beginning to its end.

    Args:
        folder: The run.
        store: Where decoded frames are kept.
        datasets: What it was trained on, if that is not where `config.json` says.
    """
    named: Sequence[str | Path | None] = datasets or datasets_of(folder) or [None]
    shelf = _join([find(path, store) for path in named])
    shown = about_run(folder, read_metrics(folder / "metrics.jsonl"))
    return replace(shown, puzzles=tuple(_groups(folder, shelf)), limits=_limits(shelf))


def datasets_of(run: Path) -> list[str]:
    """Return the datasets that a run says it was trained on."""
    origin = read_json(run / "config.json").get("origin")
    found = origin.get("datasets") if isinstance(origin, dict) else None
    return [str(path) for path in found] if isinstance(found, list) else []


def about_run(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Payload:
    """Return what a run's metrics say: its curves without any rollout.

    Args:
        folder: The run.
        rows: Of its metrics.
    """
    config = read_json(folder / "config.json")
    origin = dict(config.get("origin") or {})
    steps = int(rows[-1]["step"]) if rows else 0
    name = str(origin.get("recipe", "")) or str(config.get("type", "run"))
    alarms = alarms_of(folder)
    return Payload(
        title=folder.name,
        headline=f"{name}: {steps:,} steps of training",
        facts=(("Model", str(config.get("policy", ""))), ("Steps", f"{steps:,}")),
        curves=build.curves(rows, alarms=alarms),
        provenance=provenance(folder),
        alarms=alarms,
    )


def alarms_of(run: Path) -> tuple[Alarm, ...]:
    """Return the alarms that a run raised, oldest first; none where it stored none.

    Raises:
        RequestError: The file is damaged.
    """
    path = run / "alarms.json"
    if not path.is_file():
        return ()
    names = [one.name for one in fields(Alarm) if one.name != "step"]
    try:
        found = json.loads(path.read_text("utf-8"))
        return tuple(Alarm(step=int(one["step"]), **{name: str(one[name]) for name in names}) for one in found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RequestError(f"{path} cannot be read ({error}): remove it, it is written again") from None


def provenance(run: str | Path) -> tuple[tuple[str, str], ...]:
    """Return where a run's numbers come from: digest of its config, commit and versions."""
    folder = Path(run)
    try:
        digest = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise RequestError(
            f"{folder} is not a run (no config.json in it): give a folder that `reelgym train` wrote"
        ) from error
    versions = read_json(folder / "versions.json") if (folder / "versions.json").is_file() else {}
    named = sorted(versions.items(), key=lambda item: (item[0] != "commit", item[0]))
    return (("config, sha256", digest), *((str(name), str(value)) for name, value in named))


def _groups(folder: Path, shelf: Shelf) -> list[Puzzle]:
    """Return groups of stored rollouts, spread evenly over the run."""
    found: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("rollouts-*.parquet")):
        try:
            rows = pq.read_table(file, columns=list(ROLLOUT)).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise RequestError(
                f"{file}: the rollouts cannot be read ({error}); remove the file to see the others"
            ) from None
        for row in rows:
            found.setdefault((row["step"], row["sample"]), []).append(row)
    keys = sorted(found)
    chosen = [keys[i * len(keys) // SHOWN] for i in range(SHOWN)] if len(keys) > SHOWN else keys
    return [_group(shelf, step, sample, found[step, sample]) for step, sample in chosen]


def _group(shelf: Shelf, step: int, sample_id: str, rows: Sequence[Mapping[str, Any]]) -> Puzzle:
    return _bare_or_shown(shelf, sample_id, f"step {step}", rollouts(shelf.samples.get(sample_id), step, rows))


def rollouts(sample: Sample | None, step: int, rows: Sequence[Mapping[str, Any]]) -> list[Reply]:
    """Return the stored rollouts of one group as replies, by member.

    Args:
        sample: What they answer, where it is at hand: else nobody can say what they answered.
        step: When they were sampled.
        rows: As `training.rollouts` stores them, with the columns of `ROLLOUT`.
    """
    replies = []
    for row in sorted(rows, key=lambda row: int(row["member"])):
        parsed = None if sample is None else tasks.get(sample.task).score(row["text"], sample).parsed
        shown = puzzles.rollout(
            row["text"],
            parsed,
            sample.answer if sample is not None else (),
            label=f"Step {step}, rollout {row['member'] + 1} of {len(rows)}",
            about={
                "stop": row["stop"],
                "rewards": json.loads(row["rewards"]),
                "advantages": puzzles.advantage_by_segment(row["advantages"], row["segments"]),
                "tokens": puzzles.lengths(row["segments"]),
                "judged": sample is not None,
            },
        )
        replies.append(shown)
    return replies


def _puzzle(shelf: Shelf, sample_id: str, rows: Iterable[tuple[str, results.Row]]) -> Puzzle:
    sample = shelf.samples.get(sample_id)
    answer = tuple(sample.answer) if sample is not None else ()
    named: dict[str, Role] = {"before": "before", "after": "after"}
    replies = [
        puzzles.reply(
            row, answer, label=build.words(name), role="floor" if not row.tokens else named.get(name, "plain")
        )
        for name, row in rows
    ]
    order = ("before", "after", "plain", "floor")
    replies.sort(key=lambda reply: order.index(reply.role))
    return _bare_or_shown(shelf, sample_id, "", replies)


def _audited(shelf: Shelf, samples: Sequence[Sample], solved: Mapping[str, Sequence[str]]) -> Iterable[Puzzle]:
    """Yield puzzles that shortcuts solve, each with their names, and then some others."""
    chosen = list(solved)[: audit.SHOWN_SOLVED]
    for name in chosen:
        by = ", ".join(build.words(shortcut).lower() for shortcut in solved[name])
        shown = _bare_or_shown(shelf, name, f"solved by {by}", ())
        yield replace(shown, kind="solved by a shortcut")
    for sample in _some([one for one in samples if one.id not in solved])[: SHOWN - len(chosen)]:
        yield replace(_bare_or_shown(shelf, sample.id, "", ()), kind="others" if chosen else "")


def _bare_or_shown(shelf: Shelf, sample_id: str, note: str, replies: Sequence[Reply]) -> Puzzle:
    """Return the puzzle with its frames; without them, and saying why, where they cannot be had."""
    sample = shelf.samples.get(sample_id)
    if sample is None:
        return Puzzle(id=sample_id, note=note, replies=tuple(replies))
    try:
        return puzzles.puzzle(sample, shelf.media, replies, note=note)
    except (RequestError, MediaError) as error:
        return puzzles.puzzle(sample, None, replies, note=f"{note} {error}".strip())


def find(path: str | Path | None, store: Store, *, digest: str = "") -> Shelf:
    """Return the samples of a dataset; nothing, and why, where it is not at hand or not the one that was answered."""
    if not path:
        return Shelf(missing="The results do not say where their dataset is; frames and right answers are left out.")
    try:
        found = read_dataset(path)
    except RequestError as error:
        return Shelf(missing=f"Frames and right answers are left out: {error}")
    if digest and digest != found.digest:
        return Shelf(missing=f"Frames and right answers are left out: {path} has changed since it was answered.")
    return _shelf(found, store)


def _shelf(found: Dataset, store: Store) -> Shelf:
    return Shelf({sample.id: sample for sample in found.samples}, found.media(store), sources=found.sources)


def _join(shelves: Sequence[Shelf]) -> Shelf:
    """Return the samples of several datasets as one shelf."""
    samples = {name: sample for one in shelves for name, sample in one.samples.items()}
    media = [one.media for one in shelves if one.media is not None]
    missing = " ".join(one.missing for one in shelves if one.missing)
    return Shelf(samples, Media.joined(media) if media else None, missing)


def _limits(shelf: Shelf) -> tuple[str, ...]:
    return (shelf.missing,) if shelf.missing else ()


def _some(items: Sequence[Any]) -> list[Any]:
    """Return up to SHOWN items, the same ones every time, in their own order."""
    chosen = sorted(items, key=lambda item: hashlib.sha256(item.id.encode()).digest())[:SHOWN]
    names = {item.id for item in chosen}
    return [item for item in items if item.id in names]


def _settings(evaluation: Evaluation) -> tuple[tuple[str, str], ...]:
    plain = {"model": evaluation.model, "prompt": evaluation.variant, "position rule": evaluation.position_rule}
    more = {name: str(value) for name, value in evaluation.settings.items() if isinstance(value, (str, int, float))}
    shown = plain | {"reply cap": f"{evaluation.max_tokens} tokens", "seconds": f"{evaluation.seconds:.0f}"} | more
    return tuple((name, value) for name, value in shown.items() if value)


def duration(seconds: float) -> str:
    """Return a length of video in words."""
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{seconds / 60:.1f} minutes"


def _baseline_note(about: Mapping[str, Any]) -> str:
    if not about["baselines"]:
        return "The videos are not at hand, so the shortcuts were not tried."
    return f"Shortcuts were tried on {about['baseline_samples']} puzzles; a set they solve teaches nothing."


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the rows of metrics.jsonl; none where there is no such file."""
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text("utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break  # The last line of a run that was killed while writing it.
    return rows


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; one that is damaged is a RequestError that names it."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RequestError(f"{path} cannot be read ({error}): restore it, or make the folder again") from None
    if not isinstance(found, dict):
        raise RequestError(f"{path} does not hold an object: it was not written by reelgym; give a folder that was")
    return found
