"""A client of the OpenAI chat protocol, shared by curation, judges and evaluation: vLLM, SGLang, hosted models.

Threads may share a `Chat`: `ask` is one request with all its retries, `each` runs work over items with as many requests
in flight as the endpoint takes. Every reply goes into a journal under the hash of its request before it is used.
"""

from __future__ import annotations

import hashlib
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from reelgym.data.dataset import canonical
from reelgym.data.messages import Clip, Image, Message, to_json
from reelgym.errors import RequestError, WorkError, unknown
from reelgym.rollout.chat_form import Clips, Encoding, Pixels, to_chat
from reelgym.rollout.chat_wire import Fault, Wire
from reelgym.rollout.paid import Journal

Item = TypeVar("Item")
Made = TypeVar("Made")
Progress = Callable[[int, int], None]
Outcome = Literal["ok", "refusal", "filtered", "cut_off", "empty", "failed"]

OUTCOMES = ("ok", "refusal", "filtered", "cut_off", "empty", "failed")
"""What a reply may be; a failed one never came, for a reason that asking again may mend or not (`Reply.transient`)."""

KEY_ENV = "OPENAI_API_KEY"
"""The environment variable that holds the key where none is named."""

LONGEST_WAIT_SECONDS = 600.0
"""Of one wait, whatever an endpoint asks for. Ours."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where to ask, and how politely.

    Attributes:
        url: Base address, such as `http://localhost:8000/v1`; with or without `/chat/completions`.
        model: Name of the model there.
        key_env: Name of the environment variable that holds the key. The key is read when asking and kept nowhere.
        in_flight: Most requests at a time.
        per_minute: Most requests per minute, retries included; 0 for no limit.
        retries: Further attempts of a request that failed in a way that may pass.
        timeout_seconds: Longest time for one attempt.
        backoff_seconds: Wait before the first retry; it doubles from one to the next, each drawn from its upper half.
        encoding: How pictures are sent: `jpeg` or `png`.
        quality: Of JPEG.
        clips: `frames` (images with their times) or `video` (one `video_url` of JPEG frames, as vLLM takes it).
        price: Money per million tokens read and written; None where nobody counts.
    """

    url: str
    model: str
    key_env: str = KEY_ENV
    in_flight: int = 8
    per_minute: float = 0.0
    retries: int = 6
    timeout_seconds: float = 600.0
    backoff_seconds: float = 1.0
    encoding: Encoding = "jpeg"
    quality: int = 90
    clips: Clips = "frames"
    price: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be asked."""
        checks = (
            ("url", self.url.startswith(("http://", "https://")), "an address that begins with http:// or https://"),
            ("url", urlsplit(self.url).username is None, "an address without a password; keys go into a variable"),
            ("model", bool(self.model.strip()), "a model's name"),
            ("in_flight", 1 <= self.in_flight <= 1024, "1 to 1024"),
            ("per_minute", self.per_minute >= 0, "0 (no limit) or a positive number"),
            ("retries", 0 <= self.retries <= 100, "0 to 100"),
            ("timeout_seconds", self.timeout_seconds > 0, "above 0"),
            ("quality", 1 <= self.quality <= 100, "1 to 100"),
        )
        for name, right, allowed in checks:
            if not right:
                raise RequestError(f"{name}={getattr(self, name)!r} is not allowed: give {allowed}")
        for name, allowed_names in (("encoding", ("jpeg", "png")), ("clips", ("frames", "video"))):
            if getattr(self, name) not in allowed_names:
                raise unknown(name, getattr(self, name), allowed_names)

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the money for tokens read and written; 0 without a price."""
        read, written = self.price or (0.0, 0.0)
        return (prompt_tokens * read + completion_tokens * written) / 1e6


@dataclass(frozen=True, kw_only=True)
class ChatRequest:
    """One question to an endpoint.

    Attributes:
        messages: The prompt, media named.
        max_tokens: Cap of the reply.
        temperature: 0 for the likeliest reply.
        top_p: Sent where below 1.
        seed: Sent where given.
        draw: Tells draws of one prompt apart: another number is another request.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    draw: int = 0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back.

    Attributes:
        text: What the model wrote; also of a reply that was cut off or filtered, as far as it came.
        outcome: One of `OUTCOMES`.
        reason: Of a failure or refusal.
        transient: Whether asking again may help a failed one.
        intact: False where its bytes were no UTF-8 and what stands for them is U+FFFD.
        model: The model's name as the endpoint gives it.
        fingerprint: Its `system_fingerprint`; empty where it has none.
        prompt_tokens: Tokens read, as the endpoint counts them; 0 where it does not.
        completion_tokens: Tokens written.
        seconds: What the attempt took that brought it.
        cached: Whether it came out of the journal, and cost nothing now.
    """

    text: str
    outcome: Outcome
    reason: str = ""
    transient: bool = False
    intact: bool = True
    model: str = ""
    fingerprint: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cached: bool = False


@dataclass
class Spent:
    """What one step asked and got; `paid_*` count what this process asked for itself."""

    requests: int = 0
    cached: int = 0
    attempts: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    paid_prompt_tokens: int = 0
    paid_completion_tokens: int = 0

    def add(self, reply: Reply) -> None:
        """Count a reply."""
        self.requests += 1
        self.cached += reply.cached
        self.outcomes[reply.outcome] += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        if not reply.cached:
            self.paid_prompt_tokens += reply.prompt_tokens
            self.paid_completion_tokens += reply.completion_tokens


class _Stopping(Exception):
    """Work that waits is told to end."""


class Chat:
    """Asks one endpoint.

    Attributes:
        endpoint: Where.
        spent: By step, what was asked and got.
        in_doubt: Requests that an earlier run had sent when it was killed: they may have been paid for. They are sent
            again under the same `Idempotency-Key`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        journal: Journal | None = None,
        pixels: Pixels | None = None,
        *,
        stop: threading.Event | None = None,
    ) -> None:
        """Name the endpoint, where replies are kept (nowhere without a journal), and what reads media.

        `stop` is another client's, where one's `each` runs work that asks the other.
        """
        self.endpoint, self.spent = endpoint, dict[str, Spent]()
        self._journal, self._media = journal, pixels or _no_pixels
        self._wire = Wire(endpoint.url, endpoint.key_env, endpoint.timeout_seconds)
        self._lock, self._media_lock, self.stop = threading.Lock(), threading.Lock(), stop or threading.Event()
        self._claims: dict[str, threading.Lock] = {}
        self._not_before = 0.0
        self._next_slot = 0.0
        self._failures_in_a_row = 0
        self._has_answered = False
        self._random = random.Random()
        known = (journal.get(self._adapted_key) if journal else None) or {}
        self.adapted: dict[str, str] = dict(known.get("adapted", {}))
        lines = (journal.get(key) for key in journal.known()) if journal else ()
        self.in_doubt = sum(1 for line in lines if line and line.get("sent"))

    @property
    def _adapted_key(self) -> str:
        return f"adapted {self.endpoint.model}"

    def key(self, request: ChatRequest) -> str:
        """Return the hash that names a request: model, messages, settings, and how media are sent; never where to."""
        plain = asdict(request) | {"messages": to_json(request.messages), "model": self.endpoint.model}
        has_media = any(isinstance(part, Image | Clip) for message in request.messages for part in message.parts)
        if has_media:
            plain["media"] = [self.endpoint.encoding, self.endpoint.quality, self.endpoint.clips]
        return hashlib.sha256(canonical(plain).encode("utf-8", "backslashreplace")).hexdigest()

    def knows(self, request: ChatRequest) -> bool:
        """Return whether the journal holds a reply to a request."""
        return self._known(self.key(request)) is not None

    def ask(self, request: ChatRequest, step: str = "ask") -> Reply:
        """Return the reply to one request: out of the journal, or from the endpoint after as many retries as it takes.

        A request that is asked twice at the same time is sent once.

        Raises:
            RequestError: The endpoint refuses the key or knows no such model.
            WorkError: It does not answer at all.
        """
        key = self.key(request)
        with self._lock:
            claim = self._claims.setdefault(key, threading.Lock())
        with claim:
            reply = self._known(key) or self._sent(key, request, step)
        with self._lock:
            self._claims.pop(key, None)
            self.spent.setdefault(step, Spent()).add(reply)
        return reply

    def close(self) -> None:
        """Let the journal go."""
        if self._journal:
            self._journal.close()

    def each(
        self, items: Sequence[Item], work: Callable[[Item], Made], progress: Progress | None = None
    ) -> Iterator[tuple[int, Made]]:
        """Yield (place, work(item)) for every item as they are done, `in_flight` of them at a time.

        Where the caller stops, or is interrupted, nothing more is sent; what is in flight is waited for and kept.

        Raises:
            Exception: What `work` raises, once what is in flight has ended.
        """
        done: queue.Queue[tuple[int, Made | None, BaseException | None]] = queue.Queue()
        places = iter(range(len(items)))
        self.stop.clear()

        def run() -> None:
            while not self.stop.is_set():
                with self._lock:
                    place = next(places, None)
                if place is None:
                    return
                try:
                    done.put((place, work(items[place]), None))
                except _Stopping:
                    return
                except BaseException as error:  # Carried to the caller, who raises it.
                    self.stop.set()
                    done.put((place, None, error))

        threads = [threading.Thread(target=run, daemon=True) for _ in range(min(self.endpoint.in_flight, len(items)))]
        for thread in threads:
            thread.start()
        try:
            for count in range(1, len(items) + 1):
                place, made, error = done.get()
                if error is not None:
                    raise error
                if progress is not None:
                    progress(count, len(items))
                yield place, made  # type: ignore[misc]
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(2 * self.endpoint.timeout_seconds)
            self.stop.clear()

    def _known(self, key: str) -> Reply | None:
        line = self._journal.get(key) if self._journal else None
        return Reply(**line["reply"], cached=True) if line and "reply" in line else None

    def _sent(self, key: str, request: ChatRequest, step: str) -> Reply:
        if self.stop.is_set():
            raise _Stopping
        at = self.endpoint
        form = to_chat(request.messages, self._pixels, encoding=at.encoding, quality=at.quality, clips=at.clips)
        if self._journal:
            self._journal.put(key, {"sent": True})
        fault = Fault("was not asked")
        attempt = 0
        while attempt <= self.endpoint.retries:
            self._wait_turn(step)
            sent = time.monotonic()
            found = self._wire.post(self._body(request, form), key)
            if isinstance(found, dict):
                return self._kept(key, Reply(**found, seconds=round(time.monotonic() - sent, 3)))
            fault = found
            if (refused := self._refused(fault)) is not None:
                self._adapt(refused)
                continue
            self._raise_hopeless(fault, attempt)
            if not fault.transient:
                break
            attempt += 1
            if attempt <= self.endpoint.retries:
                self._back_off(fault, attempt)
        if self._journal:
            self._journal.put(key, {"failed": fault.reason})
        self._count_failure(fault)
        return Reply(text="", outcome="failed", reason=fault.reason, transient=fault.transient)

    def _pixels(self, part: Image | Clip) -> NDArray[np.uint8]:
        """Return pixels, one thread at a time: readers of media are not made for several."""
        with self._media_lock:
            return self._media(part)

    def _kept(self, key: str, reply: Reply) -> Reply:
        if self._journal:
            kept = {name: value for name, value in asdict(reply).items() if name != "cached"}
            self._journal.put(key, {"reply": kept, "at": self.endpoint.url})
        with self._lock:
            self._failures_in_a_row, self._has_answered = 0, True
        return reply

    def _body(self, request: ChatRequest, form: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the body, without what the endpoint refused before."""
        wanted: dict[str, Any] = {"max_tokens": request.max_tokens, "temperature": request.temperature}
        if request.top_p < 1:
            wanted["top_p"] = request.top_p
        if request.seed is not None:
            wanted["seed"] = request.seed
        settings = {}
        for name, value in wanted.items():
            sent = self.adapted.get(name, name)
            sent = self.adapted.get(sent, sent)
            if sent:
                settings[sent] = value
        return {"model": self.endpoint.model, "messages": form, **settings}

    def _refused(self, fault: Fault) -> str | None:
        """Return the parameter that the endpoint does not take, where that is the fault and it is not replaced yet."""
        names = ("max_tokens", "max_completion_tokens", "temperature", "top_p", "seed")
        sent = [name for name in names if name not in self.adapted]
        return fault.refused_parameter(sent)

    def _adapt(self, name: str) -> None:
        with self._lock:
            if name not in self.adapted:
                self.adapted[name] = "max_completion_tokens" if name == "max_tokens" else ""
                if self._journal:
                    self._journal.put(self._adapted_key, {"adapted": dict(self.adapted)})

    def _wait_turn(self, step: str) -> None:
        """Wait for this request's turn under the rate limit and for the end of a pause that the endpoint asked for."""
        gap = 60 / self.endpoint.per_minute if self.endpoint.per_minute else 0.0
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next_slot, self._not_before)
            self._next_slot = turn + gap
            self.spent.setdefault(step, Spent()).attempts += 1
        while (left := turn - time.monotonic()) > 0:
            if self.stop.wait(min(left, 0.5)):
                raise _Stopping

    def _back_off(self, fault: Fault, attempt: int) -> None:
        wait = min(self.endpoint.backoff_seconds * 2 ** (attempt - 1), 60.0) * self._random.uniform(0.5, 1.0)
        if fault.retry_after is not None:
            wait = max(wait, min(fault.retry_after, LONGEST_WAIT_SECONDS))
            with self._lock:
                self._not_before = max(self._not_before, time.monotonic() + wait)
        if self.stop.wait(wait):
            raise _Stopping

    def _raise_hopeless(self, fault: Fault, attempt: int) -> None:
        """Raise where every other request would fail in the same way."""
        where = f"{self.endpoint.url} ({self.endpoint.model})"
        if fault.status in (401, 403):
            raise RequestError(
                f"{where} refuses the key ({fault.reason}): put a valid one into the variable {self.endpoint.key_env}, "
                "or name another variable"
            )
        if fault.status == 404:
            raise RequestError(f"{where} knows no such address or model ({fault.reason}): check both")
        if fault.unreachable and not self._has_answered and attempt >= min(2, self.endpoint.retries):
            raise WorkError(f"{where} does not answer ({fault.reason}): start it or check the address, then repeat")

    def _count_failure(self, fault: Fault) -> None:
        with self._lock:
            self._failures_in_a_row += fault.transient
            failures = self._failures_in_a_row
        if failures >= max(8, self.endpoint.in_flight):
            raise WorkError(
                f"{self.endpoint.url} failed {failures} requests in a row, each {self.endpoint.retries + 1} times; the "
                f"last: {fault.reason}. What was answered is kept: repeat the command when the endpoint is well"
            )


def merged(spent: Sequence[dict[str, Spent]]) -> dict[str, Spent]:
    """Return what several clients spent, by step."""
    whole: dict[str, Spent] = {}
    for one in spent:
        for step, found in one.items():
            held = whole.setdefault(step, Spent())
            for name, value in vars(found).items():
                setattr(held, name, getattr(held, name) + value)
    return whole


def with_model(
    endpoint: Endpoint, url: str, model: str, key_env: str, price: tuple[float, float] | None = None
) -> Endpoint:
    """Return an endpoint for another model, equally polite; what is empty or None stays."""
    return replace(
        endpoint,
        url=url or endpoint.url,
        model=model or endpoint.model,
        key_env=key_env or endpoint.key_env,
        price=price or endpoint.price,
    )


def _no_pixels(part: Image | Clip) -> Any:
    raise RequestError(f"a prompt shows {part.video} and this client reads no media: give it a dataset's media")
