"""From a finished run to the files of its dataset, in the order of content; samples are streamed from the journal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reelgym.data.dataset import Source, canonical, write_rows
from reelgym.data.files import replacing
from reelgym.errors import WorkError
from reelgym.synthesis.finish import Finish
from reelgym.synthesis.listing import Entry, Listing
from reelgym.synthesis.run import Content, Run

INPUTS = "inputs.jsonl"
"""File of a dataset that says what every input file became, by path."""


def write(folder: Path, run: Run, listing: Listing) -> dict[str, Any]:
    """Write the dataset of a run and return its manifest.

    Raises:
        WorkError: No file gave a sample (a shard may be empty), or the disk is full.
    """
    quarantine = _quarantine(run, listing)
    if not any(content.samples for content in run.contents.values()) and run.settings["shard"] is None:
        first = ": ".join(quarantine[0][name] for name in ("path", "boundary", "reason"))
        raise WorkError(f"none of {len(listing.entries)} files gave a sample; the first: {first}")
    used = {name: run.contents[name] for name in sorted(run.contents) if run.contents[name].quarantine is None}
    lines = sorted(_inputs(run, listing), key=lambda line: str(line["path"]))
    sources = [_source(run, identity, content) for identity, content in used.items()]
    manifest = _manifest(run, listing.root, lines)
    if run.settings["shard"] is not None:
        write_inputs(folder, lines)
        return write_rows(folder, _rows(run, used), sources, quarantine, manifest)
    whole = Finish(sources, lambda: _rows(run, used), run.settings)
    write_inputs(folder, map(whole.counted, lines))
    return write_rows(folder, whole.rows(), whole.sources, quarantine, manifest | {"audit": whole.audit})


def write_inputs(folder: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write `inputs.jsonl`: {path, became, ...} of every input, by path."""
    with replacing(folder / INPUTS) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, sort_keys=True) + "\n" for line in lines)


def _rows(run: Run, used: Iterable[str]) -> Iterator[dict[str, str]]:
    for identity in used:
        noted = run.journal.result(identity)
        if noted is None:
            raise WorkError(f"the result of {identity} has gone from {run.journal.work}: repeat the command")
        yield from noted["samples"][: run.taken.get(identity)]


def _source(run: Run, identity: str, content: Content) -> Source:
    video = content.video or {}
    noted = run.journal.result(identity) or {}
    names = ("identity", "size_bytes", "duration_seconds", "height", "width", "frame_rate", "codec")
    return Source(
        **{name: video[name] for name in names},
        path=content.first.name,
        split=run.side(identity),
        warnings=tuple(dict.fromkeys([*video["warnings"], *content.warnings])),
        structure=canonical(noted["structure"]) if "structure" in noted else "",
        fingerprint=noted.get("fingerprint", ""),
        way=content.way,
    )


def _quarantine(run: Run, listing: Listing) -> list[dict[str, str]]:
    lines = [line for line in listing.unreadable if run.mine(line["path"])]
    lines += [line for _, line in run.failed]
    for content in run.contents.values():
        if content.quarantine is not None:
            lines += [content.quarantine | {"path": entry.path} for entry in content.copies]
    return sorted(lines, key=lambda line: line["path"])


def _inputs(run: Run, listing: Listing) -> Iterator[dict[str, Any]]:
    for identity, content in run.contents.items():
        for entry in content.copies:
            yield {"path": entry.name, "identity": identity} | _became(run, identity, content, entry)
    for entry, line in run.failed:
        yield {"path": entry.name, "became": "quarantined", "boundary": line["boundary"], "reason": line["reason"]}
    opened = run.opened
    for entry in listing.entries:
        if entry not in opened and run.mine(entry.name):
            yield {"path": entry.name, "became": "not sampled"}


def _became(run: Run, identity: str, content: Content, entry: Entry) -> dict[str, Any]:
    if content.quarantine is not None:
        return {"became": "quarantined", **{name: content.quarantine[name] for name in ("boundary", "reason")}}
    if entry != content.first:
        return {"became": "duplicate", "of": content.first.name}
    return {"became": "used", "samples": run.taken.get(identity, content.samples)}


def _manifest(run: Run, root: str, lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    became = [line["became"] for line in lines]
    counts = {"duplicates": became.count("duplicate"), "not_sampled": became.count("not sampled"), "files": len(became)}
    manifest = {
        "tasks": run.settings["tasks"],
        "seed": run.settings["seed"],
        "settings": dict(run.settings),
        "media_root": root,
        "counts": counts,
    }
    return manifest if run.settings["shard"] is None else manifest | {"shard": run.settings["shard"]}
