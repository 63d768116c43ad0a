"""From a dataset to a folder for a peer: what it will take, and then the thing itself; resumable."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from reelgym.data.dataset import Dataset
from reelgym.data.files import make_folder, replacing
from reelgym.data.media import Media, check_source
from reelgym.data.messages import Clip, Image, Text
from reelgym.data.sample import Sample
from reelgym.data.settings import refuse_changes
from reelgym.data.templates import INSTRUCTIONS
from reelgym.errors import RequestError, WorkError, unknown
from reelgym.synthesis.export.base import Format, get
from reelgym.synthesis.export.frames import Encoding, Freezer, frame_names
from reelgym.synthesis.export.prompts import carried, frozen, unfit

DONE = "export.json"
"""Written last: a folder without it is unfinished."""

PROBED = 8
"""Samples whose frames are encoded beforehand to know the bytes, spread evenly over the dataset. Ours."""

SPLITS = ("train", "test")
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an export will take.

    Attributes:
        samples: How many, by split.
        left_out: Samples that cannot be exported, with the reason.
        frames_shown: Frames over all prompts.
        frames_written: Files: frames that several prompts show count once.
        bytes_per_sample: Of a prompt's frames and row on average, as if it shared none.
        bytes_in_all: Of all files.
        encoding: How frames are kept, in words.
        psnr_db: Loss of the encoding over the frames that were tried, in dB; None where every pixel is kept.
        seconds: That all files take at the pace of the fastest, of all and of the slowest of the samples tried.
    """

    samples: dict[str, int]
    left_out: dict[str, str]
    frames_shown: int
    frames_written: int
    bytes_per_sample: int
    bytes_in_all: int
    encoding: str
    psnr_db: float | None
    seconds: tuple[float, float, float]

    def rows(self) -> list[tuple[str, str]]:
        """Return (what, how much) as text."""
        loss = "none" if self.psnr_db is None else f"{self.psnr_db:.1f} dB PSNR"
        low, mean, high = self.seconds
        return [
            *((f"samples, {split}", str(count)) for split, count in self.samples.items()),
            ("left out", str(len(self.left_out))),
            ("frames shown", str(self.frames_shown)),
            ("frames written", str(self.frames_written)),
            ("frames as", self.encoding),
            ("loss of pixels", loss),
            ("bytes per sample, about", f"{self.bytes_per_sample:,}"),
            ("bytes in all, about", f"{self.bytes_in_all:,}"),
            ("seconds, about", f"{mean:,.1f} ({low:,.1f} to {high:,.1f})"),
        ]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What `export` made: the folder, its `export.json`, and whether it was made now."""

    path: Path
    manifest: dict[str, Any]
    fresh: bool


def plan(
    dataset: Dataset, media: Media, *, quality: int | None = None, limit: int | None = None, prompt: str = "tagged"
) -> Plan:
    """Return what an export will take, from a few samples whose frames are encoded and thrown away.

    Args:
        dataset: As read.
        media: Its pixels; every source is looked for.
        quality: JPEG quality, or None for PNG.
        limit: Samples at most, whole videos first; None for all.
        prompt: `direct` or `tagged`.

    Raises:
        RequestError: Wrong settings, no sample, or a source that is missing or has changed.
    """
    encoding = Encoding(quality)
    if prompt not in INSTRUCTIONS:
        raise unknown("prompt", prompt, INSTRUCTIONS)
    chosen = choose(dataset.samples, limit)
    left_out = {sample.id: reason for sample in chosen if (reason := unfit(sample))}
    fit = [sample for sample in chosen if sample.id not in left_out]
    if not fit:
        raise RequestError(f"{dataset.path} has no sample to export ({len(left_out)} left out): give another dataset")
    for identity in sorted({part.video for sample in fit for part in parts_of(sample)} & set(media.paths)):
        check_source(media.paths[identity], identity, media.sizes.get(identity))
    shown = sum(_frames(part) for sample in fit for part in parts_of(sample))
    written = len({name for sample in fit for part in parts_of(sample) for name in frame_names(part, encoding)})
    per_frame, error, paces = _probe(fit, media, encoding)
    rows = sum(3 * len(carried(sample)) for sample in fit)
    return Plan(
        samples={split: sum(sample.split == split for sample in fit) for split in SPLITS},
        left_out=left_out,
        frames_shown=shown,
        frames_written=written,
        bytes_per_sample=round((shown * per_frame + rows) / len(fit)),
        bytes_in_all=round(written * per_frame + rows),
        encoding=encoding.words,
        psnr_db=None if quality is None else round(10 * math.log10(255**2 / max(error, 1e-9)), 2),
        seconds=(written * min(paces), written * float(np.mean(paces)), written * max(paces)),
    )


def export(
    dataset: Dataset,
    media: Media,
    out: str | Path,
    *,
    peer: str,
    planned: Plan,
    quality: int | None = None,
    prompt: str = "tagged",
    limit: int | None = None,
    root: str | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write a dataset for a peer; repeat the call to resume it.

    Args:
        dataset: As read.
        media: Its pixels.
        out: The folder.
        peer: Name of the format.
        planned: What `plan` said with the same settings.
        quality: JPEG quality, or None for PNG.
        prompt: `direct` or `tagged`: the instruction at the end of every prompt.
        limit: Samples at most, whole videos first; None for all.
        root: Folder by which rows name their frames, where the export will lie; None is where it is written.
        progress: Called with (samples done, samples in all).

    Raises:
        RequestError: Wrong settings, a missing source, or a folder that holds something else (listed).
        WorkError: A frame cannot be read, or the disk is full.
    """
    form, folder = get(peer), Path(out)
    named = str(folder.resolve()) if root is None else root
    settings = {"format": peer, "dataset": dataset.digest, "quality": quality, "prompt": prompt}
    settings |= {"limit": limit, "root": named}
    if found := _finished(folder, settings):
        return Exported(path=folder, manifest=found, fresh=False)
    samples = [sample for sample in choose(dataset.samples, limit) if sample.id not in planned.left_out]
    freezer = Freezer(media, make_folder(folder), Encoding(quality))
    tell = _Counter(progress, len(samples))
    files = {}
    try:
        for split in SPLITS:
            mine = [sample for sample in samples if sample.split == split]
            rows = _rows(form, mine, (freezer, PurePosixPath(named)), prompt)
            files[f"{split}.{form.suffix}"] = form.write(folder / f"{split}.{form.suffix}", tell(rows))
    finally:
        freezer.close()
    texts = {"reward.py": form.reward, "README.md": _readme(form, named)} | dict(form.extra(SPLITS))
    for name, text in texts.items():
        _write(folder / name, text)
    manifest = {
        "export": 1,
        "settings": settings,
        "files": files,
        # Without the time, which is never the same twice.
        "plan": {name: value for name, value in asdict(planned).items() if name != "seconds"},
        "clips_as_images": form.images_only,
        "limits": list(form.limits),
    }
    _write(folder / DONE, json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    return Exported(path=folder, manifest=manifest, fresh=True)


def choose(samples: Sequence[Sample], limit: int | None) -> list[Sample]:
    """Return all samples, or as many as the limit allows: whole videos first, these in the order of a hash."""
    if limit is None:
        return list(samples)
    if limit < 1:
        raise RequestError(f"limit={limit}: export at least 1 sample, or leave it out for all")
    by_source = sorted(samples, key=lambda sample: hashlib.sha256(sample.source.encode()).hexdigest())
    kept = {sample.id for sample in by_source[:limit]}
    return [sample for sample in samples if sample.id in kept]


def parts_of(sample: Sample) -> list[Image | Clip]:
    """Return images and clips of a prompt, in order."""
    return [part for message in sample.messages for part in message.parts if not isinstance(part, Text)]


def _frames(part: Image | Clip) -> int:
    return 1 if isinstance(part, Image) else len(part.times)


def _probe(samples: Sequence[Sample], media: Media, encoding: Encoding) -> tuple[float, float, list[float]]:
    """Return bytes and squared error of a frame over a few samples, spread evenly, and the seconds a frame of each."""
    places = sorted({place * len(samples) // PROBED for place in range(PROBED)})
    sizes: list[int] = []
    errors: list[float] = []
    paces: list[float] = []
    for place in places:
        began, before = time.monotonic(), len(sizes)
        for part in parts_of(samples[place]):
            for pixels in media(part):
                encoded = encoding.encode(np.ascontiguousarray(pixels))
                sizes.append(len(encoded))
                errors.append(encoding.loss(pixels, encoded))
        paces.append((time.monotonic() - began) / max(1, len(sizes) - before))
    return float(np.mean(sizes)) if sizes else 0.0, float(np.mean(errors)) if errors else 0.0, paces


def _rows(
    form: Format, samples: Sequence[Sample], files: tuple[Freezer, PurePosixPath], prompt: str
) -> Iterator[dict[str, Any]]:
    freezer, root = files
    for index, sample in enumerate(samples):
        yield form.row(frozen(sample, prompt, index, (root, freezer.freeze), as_images=form.images_only))


class _Counter:
    """Passes rows on and tells how many have passed."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            yield row
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, self._total)


def _finished(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what was made before with these settings, None where nothing was."""
    if (folder / "dataset.json").exists():
        raise RequestError(f"{folder} is a dataset: choose another --out for the export")
    try:
        before = dict(json.loads((folder / DONE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise WorkError(f"{folder / DONE} is damaged ({error}): remove the folder and export again") from error
    refuse_changes(folder, before.get("settings", {}), settings, "was exported")
    return before


def _readme(form: Format, root: str) -> str:
    limits = "".join(f"- {limit}\n" for limit in form.limits)
    usage = form.usage.replace("{root}", root)
    return f"# {form.name}\n\nRows name their frames by paths under {root}.\n\n```\n{usage}\n```\n\nLimits\n\n{limits}"


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
