"""Who is asked: a policy on this machine, an endpoint of the chat protocol, or a file of replies made elsewhere."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from reelgym.data.messages import Clip, Message, Text
from reelgym.errors import RequestError, WorkError
from reelgym.rollout.chat import KEY_ENV, Chat, ChatRequest, Endpoint, Reply
from reelgym.rollout.paid import Journal
from reelgym.synthesis.labelled.rows import rows
from reelgym.tasks.base import MediaReader

ENDPOINT, STORED, SCRIPT = "openai:", "replies:", "script:"
"""How names begin that stand for no model's weights: `openai:NAME@URL`, `replies:FILE` and `script:NAME`."""

LETTERS_PER_TOKEN, PIXELS_PER_TOKEN = 4, 28 * 28
"""What an estimate of tokens goes by before anything was asked. Ours; tokenizers differ."""

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


class Purse:
    """Money that may be spent on all endpoints together; threads may share it.

    Before a request its dearest case is set aside, so that the limit holds whatever comes back; who finds too little
    waits for what is under way to end, and is refused where nothing is.

    Attributes:
        limit: The money.
        spent: On replies, those of an earlier run included.
        empty: Whether something was refused.
    """

    def __init__(self, limit: float) -> None:
        """Take the limit, above 0."""
        if not limit > 0:
            raise RequestError(f"--budget {limit:g}: give an amount of money above 0")
        self.limit, self.spent, self.empty = limit, 0.0, False
        self._aside, self._change = 0.0, threading.Condition()

    def set_aside(self, most: float) -> bool:
        """Return whether a request that costs at most so much may be sent; `settle` must follow one that may."""
        with self._change:
            while not self.empty and self.spent + self._aside + most > self.limit:
                if self._aside <= 0:
                    self.empty = True
                else:
                    self._change.wait(1.0)
            if not self.empty:
                self._aside += most
            return not self.empty

    def settle(self, most: float, cost: float) -> None:
        """Put back what was set aside, less what it cost."""
        with self._change:
            left = self._aside - most
            self._aside = left if left > 1e-12 else 0.0
            self.spent += cost
            self._change.notify_all()


class Remote(Speaker):
    """A model behind an endpoint; every reply is kept in a journal, and asked for once.

    Attributes:
        endpoint: Where.
        fingerprint: The model as the endpoint tells it: its name, and its `system_fingerprint` where it has one.
    """

    def __init__(self, endpoint: Endpoint, journal: Path, purse: Purse | None = None) -> None:
        """Take the endpoint, the file of replies, and what may be spent."""
        if purse is not None and endpoint.price is None:
            raise RequestError(f"--budget needs the price of {endpoint.model}: give --price IN,OUT per million tokens")
        self.endpoint, self.fingerprint = endpoint, dict[str, str]()
        self._purse, self._journal = purse, Journal(journal)
        self._counted: set[str] = set()
        self._chat: Chat | None = None

    def answers(self, asked: Sequence[Asked], media: MediaReader, max_tokens: int) -> Iterator[list[tuple[int, Said]]]:
        """See `Speaker.answers`; replies of an earlier run come first."""
        chat = self._chat = self._chat or Chat(self.endpoint, self._journal, media)
        requests = [ChatRequest(messages=messages, max_tokens=max_tokens) for _, messages in asked]
        known = [place for place, request in enumerate(requests) if chat.knows(request)]
        paid = [(place, self._told(chat, requests[place], None)) for place in known]
        yield [(place, said) for place, said in paid if said is not None]
        rest = sorted(set(range(len(asked))) - set(known))

        def work(place: int) -> Said | None:
            return self._told(chat, requests[place], self._dearest(requests[place]))

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

    def _told(self, chat: Chat, request: ChatRequest, dearest: float | None) -> Said | None:
        """Return the reply, None where the purse does not pay for it; `dearest` is None for what is paid already."""
        purse = self._purse
        if purse is not None and dearest is not None and not purse.set_aside(dearest):
            return None
        cost = 0.0
        try:
            reply = chat.ask(request, "eval")
            if (key := chat.key(request)) not in self._counted:
                self._counted.add(key)
                cost = self.endpoint.cost(reply.prompt_tokens, reply.completion_tokens)
        finally:
            if purse is not None:
                purse.settle(dearest or 0.0, cost)
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

    def _dearest(self, request: ChatRequest) -> float:
        # Twice the estimate of what is read: tokenizers differ, and a limit should hold.
        return self.endpoint.cost(2 * prompt_tokens(request.messages), request.max_tokens)


def prompt_tokens(messages: Sequence[Message]) -> int:
    """Return an estimate of the tokens that a prompt is read as: by letters, and by pixels."""
    total = 0.0
    for part in (part for message in messages for part in message.parts):
        if isinstance(part, Text):
            total += len(part.text) / LETTERS_PER_TOKEN
            continue
        height, width = part.spec.size or (448, 448)
        total += (len(part.times) if isinstance(part, Clip) else 1) * (height * width / PIXELS_PER_TOKEN + 8)
    return round(total)


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
