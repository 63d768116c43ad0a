"""A real HTTP server that speaks the chat protocol, for tests: what it says is a function of the request."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from local_server import Quiet, listening
from PIL import Image

from reelgym.doctor.pictures import read


@dataclass(frozen=True)
class Said:
    """A response: a chat reply where `text` is given, else `raw` bytes as they are."""

    text: str | None = None
    status: int = 200
    finish: str = "stop"
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""
    seconds: float = 0.0

    def content(self, model: str) -> bytes:
        if self.text is None:
            return self.raw
        choice = {"index": 0, "message": {"role": "assistant", "content": self.text}, "finish_reason": self.finish}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        return json.dumps({"model": model, "choices": [choice], "usage": usage}).encode()


Answer = Callable[[dict[str, Any], int], Said]
"""From a body and how often this request came before to what is said."""


def looked(body: Mapping[str, Any]) -> str | None:
    """Return what a model that sees replies to the pictures that `reelgym doctor` draws; None to anything else."""
    asked = text_of(body)
    if "drawn in the picture" not in asked and "Each picture shows a number" not in asked:
        return None
    return ", ".join(read(picture) for picture in pictures_of(body))


def pictures_of(body: Mapping[str, Any]) -> list[Any]:
    """Return the pixels of all images of a request, and of the frames of its videos."""
    urls = []
    for message in body["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else ():
            urls += [part[part["type"]]["url"]] if part["type"] != "text" else []
    coded = [one for url in urls for one in url.partition("base64,")[2].split(",")]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one))).convert("RGB")) for one in coded]


class Server:
    """What came in and what was paid for. What `reelgym doctor` asks is answered and not counted, unless told to.

    Attributes:
        url: Base address.
        bodies: Every body, in order of arrival.
        paid: By idempotency key, how many replies of status 200 were made anew; a repeated key gets the stored one.
    """

    def __init__(self, answer: Answer, *, sees: bool = True) -> None:
        self.answer, self.url, self.sees = answer, "", sees
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.came: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self.now = self.most = 0
        self.stored: dict[str, bytes] = {}
        self.lock = threading.Lock()
        self.on_reply: Callable[[int], None] = lambda count: None

    def respond(self, handler: Quiet) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        key = handler.headers["Idempotency-Key"]
        if self.sees and (seen := looked(body)) is not None:
            return handler.reply(200, Said(seen).content(body["model"]))
        with self.lock:
            before = self.came[key]
            self.came[key] += 1
            self.bodies.append(body)
            self.headers.append(dict(handler.headers))
            self.now += 1
            self.most = max(self.most, self.now)
        said = self.answer(body, before)
        time.sleep(said.seconds)
        content = said.content(body["model"])
        with self.lock:
            self.now -= 1
            if said.status == 200 and said.text is not None:
                if key not in self.stored:
                    self.paid[key] += 1
                content = self.stored.setdefault(key, content)
        handler.reply(said.status, content, **said.headers)
        self.on_reply(len(self.stored))


@contextmanager
def serving(answer: Answer, *, sees: bool = True) -> Iterator[Server]:
    """Yield a server on a free port of this machine."""
    server = Server(answer, sees=sees)

    class Handler(Quiet):
        def do_POST(self) -> None:
            try:
                server.respond(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    with listening(Handler) as address:
        server.url = f"{address}/v1"
        yield server


def text_of(body: Mapping[str, Any]) -> str:
    """Return all text of a request."""
    texts = []
    for message in body["messages"]:
        content = message["content"]
        texts += [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    return "\n".join(texts)
