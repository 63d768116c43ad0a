"""What the files of a released model state about its processor, read in every form they are published in, and compared.

Pixel limits are taken from the files. Frame rates and counts are read, told, and not followed: a processor samples
whole videos by them, and here every prompt names its own frames, whose true times the model is told. Whatever else they
state and we compute by ourselves (patches, normalisation, resampling, time) must agree with ours: a difference is an
error, never a guess about which of the two is right.

Forms: `preprocessor_config.json` and `video_preprocessor_config.json`, as Qwen publishes them (limits as `min_pixels`
and `max_pixels`, or under `size`), and `processor_config.json` with both inside, as transformers 5 saves them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelgym.errors import RequestError
from reelgym.models.family import Family

FILES = {"image": "preprocessor_config.json", "video": "video_preprocessor_config.json"}
UNIFIED = "processor_config.json"
RATES = ("fps", "num_frames", "min_frames", "max_frames")
"""What files state about the frames that a processor takes of a whole video. Ours are named by a clip's `FrameSpec`."""
BOUNDS = (("min", "shortest_edge"), ("max", "longest_edge"))

Stated = dict[str, dict[str, Any]]


def read(place: str) -> Stated:
    """Return by `image`, `video` and `processor` what the files of a folder or hub name state; empty for nothing.

    Raises:
        RequestError: Two files, or two forms in one, that contradict each other.
    """
    unified = _read(place, UNIFIED)
    found: Stated = {}
    for kind, file in FILES.items():
        alone, inside = _read(place, file), dict(unified.get(f"{kind}_processor") or {})
        merged = _plain(alone, f"{place}: {file}")
        for name, value in _plain(inside, f"{place}: {UNIFIED}").items():
            if not _same(merged.setdefault(name, value), value):
                raise RequestError(
                    f"{place}: {file} states {name}={merged[name]!r} and {UNIFIED} {value!r}: delete the wrong one"
                )
        found[kind] = merged
    found["processor"] = {name: value for name, value in unified.items() if not name.endswith("_processor")}
    return found


def differences(family: Family, stated: Stated, vision: Any) -> list[str]:
    """Return every number of the files that we set too, otherwise; none for a model that is read as it was trained.

    Args:
        family: Ours.
        stated: As `read` returns it.
        vision: The vision config of the model.
    """
    found = []
    for kind, ours in family.states().items():
        file, fields = FILES.get(kind, UNIFIED), stated[kind]
        for name, value in ours.items():
            if fields.get(name) is not None and not _same(fields[name], value):
                found.append(f"{file} states {name}={fields[name]!r}, and {family.name} is read with {value!r}")
        named = fields.get(f"{kind}_processor_type")
        if named and str(named).removesuffix("Fast").removesuffix("Pil") != family.preprocessors[kind]:
            found.append(f"{file} names {named}, and {family.name} has {family.preprocessors[kind]}")
        low, high = fields.get("min_pixels"), fields.get("max_pixels")
        if low and high and low > high:
            found.append(f"{file} states limits of {low} to {high} pixels, which no picture meets")
    told = rates(stated)
    if told.get("fps", 1) <= 0 or told.get("min_frames", 1) > told.get("max_frames", float("inf")):
        found.append(f"{FILES['video']} states {listed(told)}, which no video meets")
    for name in ("in_channels", "num_channels"):
        if getattr(vision, name, 3) != 3:
            found.append(f"config.json states {name}={getattr(vision, name)!r} of the tower, not 3")
    return found


def rates(stated: Stated) -> dict[str, Any]:
    """Return which of `RATES` the files of a clip's processor state."""
    return {name: stated["video"][name] for name in RATES if stated["video"].get(name) is not None}


def template(place: str) -> str | None:
    """Return the chat template of a folder or hub name as its processor takes it; None where no file holds one.

    That of the processor (`chat_template.jinja`, else `chat_template.json`) goes before the tokenizer's own.
    """
    jinja = _path(place, "chat_template.jinja")
    if jinja is not None:
        return jinja.read_text(encoding="utf-8")
    held = (_read(place, file).get("chat_template") for file in ("chat_template.json", "tokenizer_config.json"))
    return next((value for value in held if isinstance(value, str)), None)


def _plain(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return fields with their limits as `min_pixels` and `max_pixels`, whatever form they were in, and no nulls.

    What was under `size` stays beside them: to families of tiles it is a side.
    """
    plain = {name: value for name, value in fields.items() if value is not None}
    size = plain.pop("size", None) or {}
    for bound, edge in BOUNDS:
        name = f"{bound}_pixels"
        inside = size.get(edge, size.get(name))
        if inside is None:
            continue
        if int(plain.setdefault(name, inside)) != int(inside):
            raise RequestError(f"{where} states {name}={plain[name]} and {inside} under size: delete the wrong one")
    return plain | ({"size": size} if size else {})


def listed(fields: Mapping[str, Any]) -> str:
    """Return fields as `name=value, name=value`."""
    return ", ".join(f"{name}={value!r}" for name, value in fields.items())


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-6 * max(1.0, abs(other)) if not isinstance(other, bool) else bool(one) == other
    return bool(one == other)


def _read(place: str, file: str) -> dict[str, Any]:
    path = _path(place, file)
    return {} if path is None else dict(json.loads(path.read_text(encoding="utf-8")))


def _path(place: str, file: str) -> Path | None:
    if Path(place).is_dir():
        path = Path(place, file)
        return path if path.is_file() else None
    from transformers.utils.hub import cached_file

    found = cached_file(place, file, _raise_exceptions_for_missing_entries=False)
    return Path(found) if found else None
