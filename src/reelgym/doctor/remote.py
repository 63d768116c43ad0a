"""A model behind an endpoint: whether it sees what is sent, all of it, in order, and does as its settings say."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from reelgym.data.messages import Message
from reelgym.doctor import pictures
from reelgym.doctor.check import Check, guarded
from reelgym.evaluation.speakers import Manners, endpoint_of
from reelgym.rollout.chat import Chat, ChatRequest, Endpoint, Reply
from reelgym.rollout.chat_wire import Fault, Wire, read

IN_ORDER = 8
"""Pictures whose order is asked for."""
MOST_PICTURES = 64
"""Where the search for the largest number of pictures ends."""
SCALE = 12
"""Pixels of a digit's cell: a picture of two digits is 132 x 108."""
_SECONDS = 60.0


@dataclass
class Spending:
    """What examining took, as the endpoint counts it."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(eq=False)
class Asked:
    """An endpoint under examination.

    Attributes:
        endpoint: Where.
        chat: Its client; nothing is kept.
        dice: Draws the digits.
        spent: What it took so far.
    """

    endpoint: Endpoint
    chat: Chat
    dice: random.Random
    spent: Spending = field(default_factory=Spending)

    def ask(self, messages: tuple[Message, ...], **how: Any) -> Reply:
        """Return the reply to a prompt."""
        return self.said(self.chat, messages, **how)

    def said(self, chat: Chat, messages: tuple[Message, ...], **how: Any) -> Reply:
        """Return the reply to a prompt by a client of this endpoint."""
        reply = chat.ask(ChatRequest(messages=messages, max_tokens=256, **how), "doctor")
        self.spent.requests += 1
        self.spent.prompt_tokens += reply.prompt_tokens
        self.spent.completion_tokens += reply.completion_tokens
        return reply

    def numbers(self, count: int) -> list[str]:
        """Return so many different numbers of two digits."""
        return [str(number) for number in self.dice.sample(range(10, 100), count)]


def checks(
    name: str,
    manners: Manners,
    *,
    quick: bool = False,
    seed: int | None = None,
    spending: Spending | None = None,
) -> Iterator[Check]:
    """Yield every finding about an endpoint; each costs requests.

    Args:
        name: `openai:NAME@URL`.
        manners: How it is asked; its retries and folder are not used.
        quick: Only whether pictures are seen, in order: two requests.
        seed: Of the digits drawn; None draws others each time.
        spending: Counts what it takes.

    Raises:
        RequestError: The name is not of this form, or the endpoint refuses the key or knows no such model.
        WorkError: Nobody answers there.
    """
    endpoint = replace(endpoint_of(name, manners), retries=1, timeout_seconds=_SECONDS)
    chat = Chat(endpoint, None, pictures.pixels_at(SCALE))
    asked = Asked(endpoint, chat, random.Random(seed), spending or Spending())
    listed: dict[str, Callable[[Asked], Check]] = {"reads a picture": picture, "order of pictures": order}
    if not quick:
        listed |= {"number of pictures": most, "video": video, "temperature": temperature, "log-probs": logprobs}
    for label, check in listed.items():
        found = guarded(label, partial(check, asked))
        yield found
        if label == "reads a picture" and not found.passed:
            break
    spent = asked.spent
    tokens = f"{spent.prompt_tokens} tokens read, {spent.completion_tokens} written"
    yield Check("asked", None, f"{spent.requests} requests, {tokens}, as it counts them")


def picture(asked: Asked) -> Check:
    """Return whether it reads a number out of a picture; by chance one in 9,000 replies does."""
    code = str(asked.dice.randrange(1000, 10_000))
    question = "What number is drawn in the picture? Reply with the digits only."
    reply = asked.ask(pictures.user(pictures.image(code), question))
    if code in re.sub(r"[\s,.]", "", reply.text):
        return Check("reads a picture", True, f"read {code}, which was drawn")
    if reply.outcome == "failed":
        return Check("reads a picture", False, f"takes no pictures: {reply.reason}")
    return Check("reads a picture", False, f"ignores images: {code} was drawn and it replied {_short(reply)}")


def order(asked: Asked) -> Check:
    """Return whether it sees several pictures, all of them, in the order in which they are sent."""
    drawn = asked.numbers(IN_ORDER)
    question = "Each picture shows a number of two digits. Reply with the numbers in the order shown, commas between."
    reply = asked.ask(pictures.user(*(pictures.image(number) for number in drawn), question))
    found = re.findall(r"(?<!\d)\d\d(?!\d)", reply.text)
    if found == drawn:
        return Check("order of pictures", True, f"{IN_ORDER} pictures read in order")
    told = f"{', '.join(drawn)} were shown and it replied {_short(reply)}"
    if reply.outcome == "failed":
        return Check("order of pictures", False, f"takes no {IN_ORDER} pictures: {reply.reason}")
    if sorted(found) == sorted(drawn):
        return Check("order of pictures", False, f"swapped: {told}")
    seen = sum(number in found for number in drawn)
    return Check("order of pictures", False, f"{seen} of {IN_ORDER} pictures were read: {told}")


def most(asked: Asked) -> Check:
    """Tell how many pictures it takes: the first and the last of them must be read."""
    most, why, count = IN_ORDER, "", 2 * IN_ORDER
    while count <= MOST_PICTURES:
        drawn = asked.numbers(count)
        question = "What numbers do the first and the last picture show? Reply with the two numbers, a comma between."
        reply = asked.ask(pictures.user(*(pictures.image(number) for number in drawn), question))
        found = re.findall(r"(?<!\d)\d\d(?!\d)", reply.text)
        if found[:1] != drawn[:1] or found[-1:] != drawn[-1:]:
            right = f"{drawn[0]} and {drawn[-1]}"
            why = (
                reply.reason
                if reply.outcome == "failed"
                else f"{right} were first and last, it replied {_short(reply)}"
            )
            break
        most, count = count, 2 * count
    told = f"{most} are taken" + (f", {count} are not ({why})" if why else ", more were not tried")
    return Check("number of pictures", None, f"{told}; eval takes --frames {most}")


def video(asked: Asked) -> Check:
    """Tell whether it takes frames as one video."""
    first, last = asked.numbers(2)
    clip = pictures.clip([first] * 4 + [last] * 4, [float(second) for second in range(8)])
    question = "What numbers does the video show, first and last? Reply with the two numbers, a comma between."
    chat = Chat(replace(asked.endpoint, clips="video"), None, pictures.pixels_at(SCALE))
    reply = asked.said(chat, pictures.user(clip, question))
    found = re.findall(r"(?<!\d)\d\d(?!\d)", reply.text)
    if found[:1] == [first] and found[-1:] == [last]:
        return Check("video", None, "frames sent as one video are read in order")
    why = reply.reason if reply.outcome == "failed" else f"{first} and {last} were shown, it replied {_short(reply)}"
    return Check(
        "video", None, f"frames sent as one video are not read ({why}); eval sends them as pictures with times"
    )


def temperature(asked: Asked) -> Check:
    """Return whether temperature 0 repeats itself and temperature 1 does not."""
    question = pictures.user("Write a random number between 1 and 1,000,000. Reply with the number only.")
    cold = [asked.ask(question, temperature=0.0, draw=draw).text.strip() for draw in range(3)]
    if "temperature" in asked.chat.adapted:
        return Check("temperature", None, "it refuses the setting; replies are drawn as it likes")
    warm = [asked.ask(question, temperature=1.0, draw=draw).text.strip() for draw in range(4)]
    told = f"at 0 it wrote {', '.join(map(repr, cold))}; at 1 {', '.join(map(repr, warm))}"
    if len(set(cold)) == len(cold):
        return Check("temperature", False, f"another temperature: it draws although 0 was asked for; {told}"[:300])
    if len(set(warm)) == 1:
        return Check(
            "temperature", False, f"another temperature: it repeats itself although 1 was asked for; {told}"[:300]
        )
    return Check("temperature", True, told[:300])


def logprobs(asked: Asked) -> Check:
    """Tell whether it gives log-probs of what it wrote."""
    endpoint = asked.endpoint
    wire = Wire(endpoint.url, endpoint.key_env, endpoint.timeout_seconds)
    message = {"role": "user", "content": "Reply with the word yes."}
    cap = asked.chat.adapted.get("max_tokens", "max_tokens")
    body = {"model": endpoint.model, "messages": [message], cap: 16, "logprobs": True}
    found = wire.post(body, "doctor log-probs", _with_logprobs)
    asked.spent.requests += 1
    if isinstance(found, Fault):
        return Check("log-probs", None, f"none: {found.reason}")
    return Check("log-probs", None, f"of {found['tokens']} tokens" if found["tokens"] else "none, though asked for")


def _with_logprobs(status: int, headers: Mapping[str, str], raw: bytes) -> dict[str, Any] | Fault:
    """Return how many tokens of a response come with a log-prob."""
    reply = read(status, headers, raw)
    if isinstance(reply, Fault):
        return reply
    given = json.loads(raw)["choices"][0].get("logprobs") or {}
    content = given.get("content") if isinstance(given, dict) else None
    return {"tokens": len(content) if isinstance(content, list) else 0}


def _short(reply: Reply) -> str:
    return repr(" ".join(reply.text.split())[:120]) + ("" if reply.outcome == "ok" else f" ({reply.outcome})")
