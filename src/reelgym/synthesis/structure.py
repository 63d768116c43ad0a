"""The structure of a video on its way through synthesis: found while it is decoded, told to samples, and their splits.

Videos that show the same, by their fingerprints, go to one side of the split: that of the smallest identity among
them, so a video without a double keeps the side its own content gives it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reelgym.data.messages import Clip, Image
from reelgym.data.sample import Sample
from reelgym.errors import unknown
from reelgym.video import fingerprint as prints
from reelgym.video import structure as structures
from reelgym.video.fingerprint import Fingerprint, clusters, fingerprint
from reelgym.video.overlays import SIDE
from reelgym.video.packets import packets
from reelgym.video.store import Store
from reelgym.video.structure import DETAIL_FRAMES, Structure, structure
from reelgym.video.types import Frames, FrameSpec, Video

FACETS = ("crosses_cut", "static", "black", "clock")
"""What a sample may run into; a task's `avoids` and `synth --avoid` name these."""

SURVEY_FRAMES, SURVEY_SIDE = 2400, 64
"""Most frames that a video's structure is found from, and their short side in pixels."""


def survey_specs(duration_seconds: float, fps: float) -> tuple[FrameSpec, FrameSpec]:
    """Return the two specs that `survey` looks at, many small frames and some larger ones.

    Their instants are among those of `fps`, so decoding them beside the task's own frames costs no more pictures.
    """
    count = max(1, int(duration_seconds * fps))
    many, some = (fps / max(1, -(-count // most)) for most in (SURVEY_FRAMES, DETAIL_FRAMES))
    return FrameSpec(fps=many, short_side=SURVEY_SIDE), FrameSpec(fps=some, short_side=SIDE)


def survey(video: Video, frames: Frames, detail: Frames) -> dict[str, Any]:
    """Return {structure, fingerprint} of a video as JSON values.

    Args:
        video: The file.
        frames: By the first of `survey_specs`.
        detail: By the second.

    Raises:
        MediaError: The file cannot be opened any more.
    """
    found = structure(frames, packets(video.path), detail)
    return {"structure": found.to_json(), "fingerprint": fingerprint(frames).to_json()}


def recall(store: Store, identity: str, specs: Sequence[FrameSpec]) -> dict[str, Any] | None:
    """Return what `survey` found from these specs, as `remember` kept it; None where it has to be found again."""
    kept = store.note(identity, specs[0], _note(specs))
    try:
        found: dict[str, Any] = json.loads(kept or b"{}")
        Structure.from_json(found["structure"])
        Fingerprint.from_json(found["fingerprint"])
    except (ValueError, KeyError, TypeError):
        return None
    return found


def remember(store: Store, identity: str, specs: Sequence[FrameSpec], found: Mapping[str, Any]) -> None:
    """Keep what `survey` found beside the frames of the first spec.

    Raises:
        WorkError: The store cannot be written.
    """
    store.keep_note(identity, specs[0], _note(specs), json.dumps(dict(found)).encode())


def _note(specs: Sequence[FrameSpec]) -> str:
    """Return the name of a survey: what it looked at and the versions of what looked."""
    keys = " ".join(spec.key() for spec in specs)
    return f"survey {structures.VERSION} {prints.VERSION} {keys}"


def times_of(sample: Sample) -> list[float]:
    """Return the times of all frames of its own source that a sample shows."""
    parts = [part for message in sample.messages for part in message.parts]
    shown = [part for part in parts if isinstance(part, Clip | Image) and part.video == sample.source]
    return [time for part in shown for time in ([part.time] if isinstance(part, Image) else part.times)]


def told(samples: Iterable[Sample], found: Structure, avoid: Iterable[str]) -> Iterator[Sample]:
    """Yield the samples that run into nothing to avoid, each with what it does run into as facets of value 1."""
    shunned = set(avoid)
    for sample in samples:
        hit = {name for name, count in found.facets(times_of(sample)).items() if count}
        if not hit & shunned:
            yield replace(sample, facets=sample.facets | dict.fromkeys(sorted(hit), 1))


def checked(names: Iterable[str]) -> list[str]:
    """Return names of `FACETS`, sorted, each once.

    Raises:
        RequestError: One is none of them.
    """
    found = sorted(set(names))
    for name in found:
        if name not in FACETS:
            raise unknown("thing to avoid", name, FACETS)
    return found


def leaders(fingerprints: Mapping[str, str]) -> dict[str, str]:
    """Return for every identity the smallest one that shows the same; of fingerprints as `survey` gives them."""
    return clusters({identity: Fingerprint.from_json(text) for identity, text in fingerprints.items()})


def moved(row: Mapping[str, str], split: str) -> dict[str, str]:
    """Return the row of a sample on the given side; its name says which, what it asks stays the same."""
    task, name = row["task"], row["id"]
    before = f"{task}-{row['split']}-"
    plain = f"{task}-{split}-{name.removeprefix(before)}" if name.startswith(before) else name
    return dict(row) | {"split": split, "id": plain}


def read_structure(text: str) -> Structure | None:
    """Return the structure stored with a source, None where none was."""
    return Structure.from_json(json.loads(text)) if text else None
