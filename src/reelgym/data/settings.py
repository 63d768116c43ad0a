"""What a folder was begun with: repeating a command resumes it, and other settings are refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelgym.errors import RequestError


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return one phrase for every setting that differs, those inside others by dotted names.

    >>> changes({"seed": 0, "task": {"fps": 1}}, {"seed": 0, "task": {"fps": 2}})
    ['task.fps: 1 then, 2 now']
    """
    old, new = _flat(before), _flat(now)
    differing = [key for key in sorted(old | new) if old.get(key) != new.get(key)]
    return [f"{key}: {old.get(key)!r} then, {new.get(key)!r} now" for key in differing]


def refuse_changes(
    place: Path, before: Mapping[str, Any], now: Mapping[str, Any], how: str, advice: str = "choose another --out"
) -> None:
    """Do nothing where the settings are the same.

    Args:
        place: The folder or file that is to be taken up again.
        before: Its settings.
        now: Those of this call.
        how: What became of it, such as `was made`.
        advice: What to do instead.

    Raises:
        RequestError: They differ; it lists all that do.
    """
    if changed := changes(before, now):
        raise RequestError(f"{place} {how} with other settings ({'; '.join(changed)}): {advice}")


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
