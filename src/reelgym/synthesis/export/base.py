"""The protocol of an export format, and a sample as it is handed to one: text, and media as files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from reelgym.data.sample import Sample
from reelgym.registry import discover, lookup

_PACKAGE = "reelgym.synthesis.export"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One image or clip, frozen.

    Attributes:
        kind: What the prompt shows it as.
        files: Its frames in order, as paths that the peer opens.
        seconds: When each frame was, as the model is to be told; for an image its true time, which no prompt tells.
        size: (height, width) in pixels.
    """

    kind: Literal["image", "clip"]
    files: tuple[str, ...]
    seconds: tuple[float, ...]
    size: tuple[int, int]

    @property
    def rate(self) -> float:
        """Frames per second of the clip's mean spacing: the one time most peers know. 1 where there is no spacing."""
        apart = self.seconds[-1] - self.seconds[0]
        return (len(self.seconds) - 1) / apart if apart > 0 else 1.0

    @property
    def error_seconds(self) -> float:
        """How far a frame is at most from where even spacing puts it."""
        first, step = self.seconds[0], 1 / self.rate
        return max(abs(time - first - place * step) for place, time in enumerate(self.seconds))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values: what the metadata of a row say of it."""
        told = {"rate": self.rate, "error_seconds": round(self.error_seconds, 6)} if self.kind == "clip" else {}
        return {
            "kind": self.kind,
            "files": list(self.files),
            "seconds": list(self.seconds),
            "size": list(self.size),
        } | told


@dataclass(frozen=True)
class Turn:
    """One message: its role, and its text and media in order."""

    role: str
    pieces: tuple[str | Shown, ...]


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """A sample whose frames are files.

    Attributes:
        sample: As in the dataset.
        turns: Its prompt, with the instruction of the chosen variant.
        reply: The right reply in the form of that variant, with the chain of thought where one is known.
        carried: What `rewards.score` needs besides a reply, as one text.
        index: Place among the exported samples of its split.
    """

    sample: Sample
    turns: tuple[Turn, ...]
    reply: str
    carried: str
    index: int

    @property
    def media(self) -> tuple[Shown, ...]:
        """Images and clips in the order of the prompt."""
        return tuple(piece for turn in self.turns for piece in turn.pieces if isinstance(piece, Shown))

    def shown(self, kind: str) -> list[Shown]:
        """Return the media of one kind, in order."""
        return [one for one in self.media if one.kind == kind]

    def marked(self, turn: Turn) -> str:
        """Return a turn as text with `<image>` and `<video>` where media stand."""
        marks = {"image": "<image>", "clip": "<video>"}
        return "".join(piece if isinstance(piece, str) else marks[piece.kind] for piece in turn.pieces)


class Format(ABC):
    """How a peer reads data and calls rewards. A concrete format sets the class attributes and is found by `name`."""

    name: ClassVar[str]
    suffix: ClassVar[str]
    """Extension of the files `train` and `test`."""
    images_only: ClassVar[bool] = False
    """Whether the peer knows no video, or none beside images: clips become images, each after its time in the text."""
    limits: ClassVar[tuple[str, ...]] = ()
    """What the peer does to frames or times that the export cannot change, in words."""
    usage: ClassVar[str]
    """How to name files and settings on the peer's own command line; {root} stands for the folder."""
    reward: ClassVar[str]
    """The text of the reward module written beside the data."""

    @abstractmethod
    def row(self, frozen: Frozen) -> dict[str, Any]:
        """Return one sample as the peer wants it."""

    @abstractmethod
    def write(self, path: Path, rows: Iterator[dict[str, Any]]) -> int:
        """Write one file of rows, taken once, and return how many they were."""

    def extra(self, splits: Sequence[str]) -> Mapping[str, str]:
        """Return {file name: text} of what else the peer wants beside its data."""
        return {}


def names() -> list[str]:
    """Return the names of all formats, sorted."""
    return sorted(discover(_PACKAGE, Format))


def get(name: str) -> Format:
    """Return a format by name.

    Raises:
        RequestError: No such format; names the nearest.
    """
    return lookup(_PACKAGE, Format, "export format", name)()
