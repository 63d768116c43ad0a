"""One run over the chosen files: looked at, then cut, each content once, each result noted as soon as it is there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reelgym.data.sample import Split
from reelgym.errors import RequestError, WorkError
from reelgym.synthesis.journal import Journal
from reelgym.synthesis.listing import Entry
from reelgym.synthesis.pool import Engine
from reelgym.synthesis.progress import Tally
from reelgym.synthesis.settings import allocation
from reelgym.synthesis.shards import owner, parse_shard

CHUNK = 32
"""Files taken at a time where a budget may end the run early; fixed, since the result must not depend on workers."""


@dataclass
class Content:
    """What became of one content: how many samples it gave, or why none. `copies` are the files that hold it.

    The samples themselves stay in the journal: a long list of files must not fill the memory.
    """

    copies: list[Entry]
    samples: int = 0
    quarantine: dict[str, str] | None = None
    video: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()
    way: str = "plan"

    @property
    def first(self) -> Entry:
        """The copy that stands for it: the first by path."""
        return min(self.copies, key=lambda entry: entry.path)


class Run:
    """The state of one run; after `do` its attributes say what every file became.

    Attributes:
        settings: As resolved.
        journal: Holds the samples of every content in `contents` that has any.
        contents: By identity: what this run (or shard) took.
        failed: Files without an identity, with their quarantine lines.
        skipped: Chosen files that a budget left out.
        taken: How many samples of a content count; absent for all of them.
    """

    def __init__(
        self,
        pool: Engine,
        journal: Journal,
        settings: Mapping[str, Any],
        tally: Tally,
        store: tuple[str, int | None] | None = None,
    ) -> None:
        """Begin with nothing done; `store` is the folder of a frame store to fill, and the bytes it may hold."""
        self.settings, self.journal = settings, journal
        self.contents: dict[str, Content] = {}
        self.failed: list[tuple[Entry, dict[str, str]]] = []
        self.skipped: list[Entry] = []
        self.taken: dict[str, int] = {}
        self._pool, self._tally, self._store = pool, tally, store
        self._shard = parse_shard(settings["shard"] or "1/1")
        self._seconds_left = None if settings["max_hours"] is None else settings["max_hours"] * 3600
        self._chosen: Sequence[Entry] = ()
        self._charged: set[str] = set()
        self._counted: dict[str, int] = {}

    def do(self, chosen: Sequence[Entry], tell: Callable[[int, int], None]) -> None:
        """Look at and cut the chosen files, until a budget is used up.

        Raises:
            RequestError: A worker found the request wrong.
            WorkError: A worker could not do its work for no fault of the file.
        """
        self._chosen = chosen
        limit, total = self.settings["limit"], 2 * len(chosen)
        size = len(chosen) if limit is None and self._seconds_left is None else CHUNK
        for start in range(0, len(chosen), size):
            chunk = chosen[start : start + size]
            looked = self._look(chunk, _shifted(tell, 2 * start, total))
            fresh = self._take(chunk, looked)
            self._cut(fresh, _shifted(tell, 2 * (start + len(chunk)) - len(fresh), total))
            if limit is not None:
                self._trim(chunk, looked, limit)
            if self.skipped or (limit is not None and sum(self._counted.values()) >= limit):
                self.skipped += chosen[start + size :]
                tell(total, total)
                return

    def mine(self, key: str) -> bool:
        """Say whether what has this key (an identity, or a name) falls to this shard."""
        return owner(key, self._shard[1]) == self._shard[0]

    @property
    def opened(self) -> set[Entry]:
        """The files that were chosen and that no budget left out."""
        return set(self._chosen) - set(self.skipped)

    def _look(self, chunk: Sequence[Entry], tell: Callable[[int], None]) -> list[dict[str, Any]]:
        """Return {identity, seconds?} or {quarantine} for every entry, from the journal where it was noted."""
        do = "identify" if self._seconds_left is None else "probe"
        found = {n: note for n, entry in enumerate(chunk) if (note := self._known(entry)) is not None}
        left = [number for number in range(len(chunk)) if number not in found]
        tell(len(found))
        for at, result in self._pool.run(
            {"do": do, "path": chunk[number].path, "scheme": self.settings["identity"]} for number in left
        ):
            number = left[at]
            found[number] = self._settled(result, chunk[number].path, "probe")
            if "again" not in found[number]:
                self.journal.note_seen(chunk[number], found[number])
            tell(len(found))
        return [found[number] for number in range(len(chunk))]

    def _known(self, entry: Entry) -> dict[str, Any] | None:
        """Return what can be said of a file without opening it: what was noted, or that it has no usable name."""
        try:
            entry.name.encode("utf-8")
        except UnicodeEncodeError:
            return {"quarantine": _line(entry.path, "open", "its name is not valid UTF-8; rename it")}
        return self.journal.seen(entry)

    def _take(self, chunk: Sequence[Entry], looked: Sequence[Mapping[str, Any]]) -> list[str]:
        """Sort a chunk into contents, failures and what the hours leave out; return the new identities to cut."""
        fresh: list[str] = []
        for entry, found in zip(chunk, looked, strict=True):
            identity = found.get("identity")
            if self.skipped or (identity is not None and not self._fits(identity, found.get("seconds", 0.0))):
                self.skipped.append(entry)
            elif identity is None:
                self._fail(entry, found["quarantine"])
            elif self.mine(identity):
                if identity not in self.contents:
                    fresh.append(identity)
                self.contents.setdefault(identity, Content([])).copies.append(entry)
        return fresh

    def _cut(self, identities: Sequence[str], tell: Callable[[int], None]) -> None:
        """Cut every content that has no result yet."""
        left = [identity for identity in identities if not self._resume(identity)]
        # Largest first: one that comes last would keep a single worker busy while the others wait.
        left.sort(key=lambda identity: (-self.contents[identity].first.stamp[0], identity))
        done = len(identities) - len(left)
        tell(done)
        for at, result in self._pool.run(self._jobs(left)):
            content = self.contents[left[at]]
            settled = self._settled(result, content.first.path, "decode")
            if "again" not in settled:
                self.journal.note_result(left[at], settled)
            self._count(content, settled)
            self._tally.cut += 1
            self._tally.video_seconds += settled.get("video", {}).get("duration_seconds", 0.0)
            done += 1
            tell(done)

    def _jobs(self, identities: Iterable[str]) -> Iterator[dict[str, Any]]:
        for identity in identities:
            yield cut_job(self.settings, self.contents[identity].first, identity) | {"store": self._store}

    def _resume(self, identity: str) -> bool:
        noted = self.journal.result(identity)
        if noted is not None:
            self._count(self.contents[identity], noted)
            self._tally.resumed += 1
        return noted is not None

    def _count(self, content: Content, result: Mapping[str, Any]) -> None:
        content.samples, content.quarantine = len(result.get("samples", ())), result.get("quarantine")
        content.video, content.warnings = result.get("video"), tuple(result.get("warnings", ()))
        content.way = result.get("way", "plan")
        self._tally.samples += content.samples
        self._tally.quarantined += content.quarantine is not None

    def _fail(self, entry: Entry, line: dict[str, str]) -> None:
        if self.mine(entry.name):
            self.failed.append((entry, line | {"path": entry.path}))
            self._tally.quarantined += 1

    def _settled(self, result: dict[str, Any], path: str, boundary: str) -> dict[str, Any]:
        """Return a result in which a dead worker is a quarantine line; what no file is to blame for is raised."""
        self._tally.spend(result.pop("spent", {}))
        raise_fault(result)
        if "died" in result:  # Perhaps the machine's fault: a resumed run tries again.
            return {"quarantine": _line(path, boundary, result["died"]), "again": True}
        return result

    def _trim(self, chunk: Sequence[Entry], looked: Sequence[Mapping[str, Any]], limit: int) -> None:
        """Count a chunk's samples in the order of its files, and leave out what comes after the limit."""
        for place, found in enumerate(looked):
            identity = found.get("identity")
            if identity is not None and identity not in self._counted:
                left = limit - sum(self._counted.values())
                self._counted[identity] = min(self.contents[identity].samples, left)
                self.taken[identity] = self._counted[identity]
                if left <= self.contents[identity].samples:
                    return self._leave_out(chunk[place + 1 :])

    def _leave_out(self, entries: Sequence[Entry]) -> None:
        gone = set(entries)
        self.skipped += entries
        self.failed = [(entry, line) for entry, line in self.failed if entry not in gone]
        for identity, content in list(self.contents.items()):
            content.copies = [entry for entry in content.copies if entry not in gone]
            if not content.copies:
                del self.contents[identity]

    def side(self, identity: str) -> Split:
        """Return the split of a source, see `side`."""
        return side(self.settings, identity)

    def _fits(self, identity: str, seconds: float) -> bool:
        """Say whether a content is within the hours, and take it off; the first always is, a copy costs nothing."""
        if self._seconds_left is None or identity in self._charged:
            return True
        if seconds > self._seconds_left and self._charged:
            return False
        self._seconds_left -= seconds
        self._charged.add(identity)
        return True


def raise_fault(result: Mapping[str, Any]) -> None:
    """Raise what no file is to blame for.

    Raises:
        RequestError: The worker found the request wrong.
        WorkError: It could not do its work.
    """
    if "refused" in result:
        raise RequestError(result["refused"])
    if "failed" in result:
        raise WorkError(result["failed"])


def side(settings: Mapping[str, Any], identity: str) -> Split:
    """Return the split of a source: by the hash of its content, so that no copy can lie on the other side.

    Under `holdout` it is provisional: which are first takes all sources, see `sides`.
    """
    forced: Split | None = settings["split"]
    if forced is not None:
        return forced
    return "test" if _drawn(identity) < settings["split_share"] else "train"


def sides(settings: Mapping[str, Any], leaders: Mapping[str, str]) -> dict[str, Split]:
    """Return the split of every source of a whole dataset.

    Args:
        settings: `holdout`, where given, is how many contents are `test`: those whose hashes are smallest, the same for
            any order of files or shards. Otherwise each has the `side` of its own content.
        leaders: Every identity with the one that stands for all that show the same.
    """
    count: int | None = settings.get("holdout")
    if count is None:
        return {name: side(settings, leader) for name, leader in leaders.items()}
    held = sorted(set(leaders.values()), key=lambda leader: (_drawn(leader), leader))[:count]
    return {name: "test" if leader in held else "train" for name, leader in leaders.items()}


def _drawn(identity: str) -> float:
    """Return a number in [0, 1) that the content decides."""
    return int(hashlib.sha256(f"split {identity}".encode()).hexdigest()[:13], 16) / 16**13


def cut_job(settings: Mapping[str, Any], entry: Entry, identity: str) -> dict[str, Any]:
    """Return the job that cuts one file with these settings, and fills no store."""
    weights = {name: one["weight"] for name, one in settings["tasks"].items()}
    counts = allocation(weights, settings["per_video"], seed=settings["seed"], identity=identity)
    named = {
        name: {"config": one["config"], "fps": one["fps"], "count": counts[name]}
        for name, one in settings["tasks"].items()
    }
    job = {"do": "cut", "path": entry.path, "identity": identity, "stamp": list(entry.stamp), "tasks": named}
    looks = {"avoid": settings.get("avoid"), "audit": settings.get("audit") != "off"}
    return job | looks | {"split": side(settings, identity), "seed": settings["seed"], "store": None}


def _line(path: str, boundary: str, reason: str) -> dict[str, str]:
    return {"path": path, "boundary": boundary, "reason": reason}


def _shifted(tell: Callable[[int, int], None], before: int, total: int) -> Callable[[int], None]:
    return lambda done: tell(before + done, total)
