"""What may be spent on endpoints, those of models and of judges together, and a client that spends no more."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from reelgym.data.messages import Clip, Message, Text
from reelgym.errors import RequestError, WorkError
from reelgym.rollout.chat import Chat, ChatRequest, Endpoint, Reply
from reelgym.rollout.chat_form import Pixels
from reelgym.rollout.paid import Journal

LETTERS_PER_TOKEN, PIXELS_PER_TOKEN = 4, 28 * 28
"""What an estimate of tokens goes by before anything was asked. Ours; tokenizers differ."""


class NotPaid(WorkError):
    """A request that the purse does not pay for; it was not sent."""


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


@dataclass
class Metered:
    """Tokens that one thread had read and written, those of kept replies included."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class PaidChat(Chat):
    """A client whose requests a purse pays for, and which counts tokens; a kept reply is paid once."""

    def __init__(
        self, endpoint: Endpoint, journal: Journal, pixels: Pixels | None = None, *, purse: Purse | None = None
    ) -> None:
        """Take the endpoint, where replies are kept, what reads media, and what may be spent; None for no limit."""
        super().__init__(endpoint, journal, pixels)
        self._purse = priced(endpoint, purse)
        self._counted: set[str] = set()
        self._here = threading.local()

    @contextmanager
    def metered(self) -> Iterator[Metered]:
        """Yield the tokens of what this thread asks inside of the block."""
        self._here.counts = counts = Metered()
        try:
            yield counts
        finally:
            self._here.counts = None

    def ask(self, request: ChatRequest, step: str = "ask") -> Reply:
        """Return the reply to one request, as `Chat.ask`.

        Raises:
            NotPaid: The purse does not pay for it.
        """
        most = 0.0 if self._purse is None or self.knows(request) else dearest(self.endpoint, request)
        if self._purse is not None and most and not self._purse.set_aside(most):
            raise NotPaid(f"the budget does not pay for another request to {self.endpoint.model}")
        cost = 0.0
        try:
            reply = super().ask(request, step)
            cost = self._cost(self.key(request), reply)
        finally:
            if self._purse is not None:
                self._purse.settle(most, cost)
        if (counts := getattr(self._here, "counts", None)) is not None:
            counts.prompt_tokens += reply.prompt_tokens
            counts.completion_tokens += reply.completion_tokens
        return reply

    def _cost(self, key: str, reply: Reply) -> float:
        with self._lock:
            if key in self._counted or reply.outcome == "failed":
                return 0.0
            self._counted.add(key)
        return self.endpoint.cost(reply.prompt_tokens, reply.completion_tokens)


def priced(endpoint: Endpoint, purse: Purse | None) -> Purse | None:
    """Return the purse.

    Raises:
        RequestError: There is one, and the endpoint has no price.
    """
    if purse is not None and endpoint.price is None:
        raise RequestError(
            f"--budget needs the price of {endpoint.model}: give --price IN,OUT per million tokens, or "
            f"--price {endpoint.model}=IN,OUT where others cost otherwise"
        )
    return purse


def dearest(endpoint: Endpoint, request: ChatRequest) -> float:
    """Return what a request costs at most."""
    # Twice the estimate of what is read: tokenizers differ, and a limit should hold.
    return endpoint.cost(2 * prompt_tokens(request.messages), request.max_tokens)


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
