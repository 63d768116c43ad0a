"""Who is asked: a policy on this machine, an endpoint of the chat protocol, or a file of replies made elsewhere."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from reelgym.data.messages import Message
from reelgym.errors import RequestError, WorkError
from reelgym.evaluation.purse import NotPaid, PaidChat, Purse, priced
from reelgym.rollout.chat import KEY_ENV, ChatRequest, Endpoint, Reply
from reelgym.rollout.paid import Journal
from reelgym.synthesis.labelled.rows import rows
from reelgym.tasks.base import MediaReader

ENDPOINT, STORED, SCRIPT = "openai:", "replies:", "script:"
"""How names begin that stand for no model's weights: `openai:NAME@URL`, `replies:FILE` and `script:NAME`."""

Asked = tuple[str, tuple[Message, ...]]
"""A sample's id, and the messages shown."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """One reply.

    Attributes:
        text: What was written.
        stop: `eos`, `length` or `stop_string`.
        tokens: Written; 0 where nobody counts.
        prompt_tokens: Read; 0 where nobody counts.
        outcome: One of `rollout.chat.OUTCOMES`; empty is told by the text and by `stop`.
        reason: Of a refusal or failure.
        seconds: What it took, of a batch an equal share; None where nobody measures.
        turns: How often the model wrote.
    """

    text: str
    stop: str = "eos"
    tokens: int = 0
    prompt_tokens: int = 0
    outcome: str = ""
    reason: str = ""
    seconds: float | None = None
    turns: int = 1


class Speaker(ABC):
    """Whoever replies to questions.

    Attributes:
        position_rule: The adapter's rule of positions; empty where it is not known.
    """

    position_rule: str = ""

    @abstractmethod
    def answers(self, asked: Sequence[Asked], media: MediaReader, max_tokens: int) -> Iterator[list[tuple[int, Said]]]:
        """Yield (place, reply) in groups as they come, each place at most once; what never comes was not asked.

        Args:
            asked: Ids and messages.
            media: Turns an image or clip into its pixels.
            max_tokens: Cap of a reply.
        """

    def under(self, probe: str | None) -> Speaker:
        """Return who replies under a probe: itself, since it sees what is shown."""
        return self

    def about(self) -> dict[str, Any]:
        """Return what else the replies depend on, JSON; told after they came."""
        return {}

    def close(self) -> None:
        """Let files go."""
        return

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let files go."""
        self.close()


class Remote(Speaker):
    """A model behind an endpoint; every reply is kept in a journal, and asked for once.

    Attributes:
        endpoint: Where.
        fingerprint: The model as the endpoint tells it: its name, and its `system_fingerprint` where it has one.
    """

    def __init__(self, endpoint: Endpoint, journal: Path, purse: Purse | None = None) -> None:
        """Take the endpoint, the file of replies, and what may be spent."""
        self.endpoint, self.fingerprint = endpoint, dict[str, str]()
        self._purse, self._journal = priced(endpoint, purse), Journal(journal)
        self._chat: PaidChat | None = None

    def answers(self, asked: Sequence[Asked], media: MediaReader, max_tokens: int) -> Iterator[list[tuple[int, Said]]]:
        """See `Speaker.answers`; replies of an earlier run come first."""
        chat = self._chat = self._chat or PaidChat(self.endpoint, self._journal, media, purse=self._purse)
        requests = [ChatRequest(messages=messages, max_tokens=max_tokens) for _, messages in asked]
        known = [place for place, request in enumerate(requests) if chat.knows(request)]
        paid = [(place, self._told(chat, requests[place])) for place in known]
        yield [(place, said) for place, said in paid if said is not None]
        rest = sorted(set(range(len(asked))) - set(known))

        def work(place: int) -> Said | None:
            return self._told(chat, requests[place])

        for at, said in chat.each(rest, work):
            if said is not None:
                yield [(rest[at], said)]

    def about(self) -> dict[str, Any]:
        """Return where and how was asked, and who answered; never the key."""
        at = self.endpoint
        told: dict[str, Any] = {"endpoint": at.url, "pictures": f"{at.encoding} {at.quality}", "clips": at.clips}
        told |= {"fingerprint": dict(self.fingerprint)} if self.fingerprint else {}
        told |= {"adapted": dict(sorted(self._chat.adapted.items()))} if self._chat and self._chat.adapted else {}
        return told | ({"price": list(at.price)} if at.price else {})

    def close(self) -> None:
        """Let the journal go."""
        self._journal.close()

    def _told(self, chat: PaidChat, request: ChatRequest) -> Said | None:
        """Return the reply, None where the purse does not pay for it."""
        try:
            reply = chat.ask(request, "eval")
        except NotPaid:
            return None
        self._check(reply)
        return _said(reply)

    def _check(self, reply: Reply) -> None:
        """Refuse a reply of another model than the first one's."""
        for name, value in (("model", reply.model), ("system_fingerprint", reply.fingerprint)):
            if value and self.fingerprint.setdefault(name, value) != value:
                raise WorkError(
                    f"{self.endpoint.url} changed its model during the evaluation: {name} was "
                    f"{self.fingerprint[name]!r} and is {value!r}; replies of two models make no result: "
                    "begin again with another --out"
                )


class Stored(Speaker):
    """Replies made elsewhere: a table with the columns `id` and `reply`, ids as in the dataset.

    A column `probe` names the probe that a reply was made under; empty or absent, it was made to the plain question.
    """

    def __init__(self, path: Path) -> None:
        """Read the file (CSV, TSV, JSON, JSON lines or Parquet).

        Raises:
            RequestError: No such file, a row without `id` or `reply`, or two of one id under one probe.
        """
        self._held: dict[str, dict[str, str]] = {}
        for number, row in rows(path):
            if isinstance(row, str):
                raise RequestError(f"{path} row {number}: {row}")
            if not isinstance(row.get("id"), str) or not isinstance(row.get("reply"), str):
                raise RequestError(f"{path} row {number}: it needs the columns id and reply, both text")
            replies = self._held.setdefault(str(row.get("probe") or ""), {})
            if row["id"] in replies:
                raise RequestError(f"{path} row {number}: a second reply to {row['id']}; keep one of each id")
            replies[row["id"]] = row["reply"]
        self._path, self._digest, self._probe = path, hashlib.sha256(path.read_bytes()).hexdigest()[:16], ""

    def under(self, probe: str | None) -> Speaker:
        """Return the replies made under a probe.

        Raises:
            RequestError: There are none: nobody can say now what would have been replied.
        """
        if probe and probe not in self._held:
            raise RequestError(
                f"{self._path} has no replies under the probe {probe}: give rows with {probe} in a column probe, or "
                "leave it out of --probes"
            )
        found = copy(self)
        found._probe = probe or ""
        return found

    def answers(self, asked: Sequence[Asked], media: MediaReader, max_tokens: int) -> Iterator[list[tuple[int, Said]]]:
        """See `Speaker.answers`; an id without a reply failed."""
        missing = Said(text="", outcome="failed", reason=f"{self._path.name} has no reply to it")
        found = [self._held.get(self._probe, {}).get(name) for name, _ in asked]
        if all(reply is None for reply in found):
            raise RequestError(
                f"{self._path} has no reply to any of {len(asked)} questions (the first is {asked[0][0]}): its ids are "
                "those of the dataset's samples"
            )
        yield [(place, missing if reply is None else Said(text=reply)) for place, reply in enumerate(found)]

    def about(self) -> dict[str, Any]:
        """Return the file's name and content."""
        return {"replies": f"{self._path.name} {self._digest}"}


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How endpoints are asked.

    Attributes:
        folder: Where journals of replies are kept.
        key_env: Variables that hold the keys, `VARIABLE` or `NAME=VARIABLE`.
        price: By model's name, or under the empty name for all others, money per million tokens read and written.
        in_flight: Requests at a time.
        retries: Further attempts of a request.
        purse: What may be spent; None for no limit.
    """

    folder: Path
    key_env: Sequence[str] = ()
    price: dict[str, tuple[float, float]] | None = None
    in_flight: int = 8
    retries: int = 6
    purse: Purse | None = None


def is_speaker(name: str) -> bool:
    """Return whether a model's name stands for an endpoint, stored replies or a script."""
    return name.startswith((ENDPOINT, STORED, SCRIPT))


def endpoint_of(name: str, manners: Manners) -> Endpoint:
    """Return the endpoint of `openai:NAME@URL`.

    Raises:
        RequestError: It is not of this form, or names an impossible address.
    """
    model, at, url = name.removeprefix(ENDPOINT).partition("@http")
    if not name.startswith(ENDPOINT) or not model or not at:
        raise RequestError(
            f"model {name!r}: an endpoint is named openai:NAME@URL, as openai:m@http://localhost:8000/v1"
        )
    keys = {key: value for key, _, value in (text.rpartition("=") for text in manners.key_env)}
    prices = manners.price or {}
    return Endpoint(
        url=f"http{url}",
        model=model,
        key_env=keys.get(model, keys.get("", KEY_ENV)),
        price=prices.get(model, prices.get("")),
        in_flight=manners.in_flight,
        retries=manners.retries,
    )


def speaker(name: str, manners: Manners) -> Speaker:
    """Return who is meant by `openai:NAME@URL`, `replies:FILE` or `script:NAME`.

    Raises:
        RequestError: None of these, a file that cannot be read, or a journal that another run writes.
    """
    if name.startswith(STORED):
        return Stored(Path(name.removeprefix(STORED)))
    if name.startswith(SCRIPT):
        from reelgym.evaluation.scripted import Scripted  # It builds on this module.

        return Scripted(name.removeprefix(SCRIPT))
    endpoint = endpoint_of(name, manners)
    return Remote(endpoint, journal_of(name, manners.folder), manners.purse)


def journal_of(name: str, folder: Path) -> Path:
    """Return the file in an evaluation's folder that keeps the replies of a model."""
    # Two addresses are two models, whatever they call themselves.
    return folder / f"asked-{hashlib.sha256(name.encode()).hexdigest()[:12]}.jsonl"


def _said(reply: Reply) -> Said:
    return Said(
        text=reply.text,
        stop="length" if reply.outcome == "cut_off" else "eos",
        tokens=reply.completion_tokens,
        prompt_tokens=reply.prompt_tokens,
        outcome=reply.outcome,
        reason=reply.reason,
        seconds=reply.seconds,
    )
