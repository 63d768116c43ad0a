"""A local HTTP server that speaks what the sampler uses of vLLM's protocol; the test sets what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local_server import Quiet, listening

Route = Callable[[dict[str, Any]], tuple[int, Any]]
"""From a body to status and JSON."""


CACHES = ("prefix", "mm", "encoder")


class Stub:
    """What came in, and what is said to it.

    Attributes:
        asked: (path, body) of every request, in order.
        routes: By path, without its query.
        url: Where it listens.
    """

    def __init__(self, chat: Route) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        done: Route = lambda body: (200, {})  # noqa: E731
        dev = [
            "pause",
            "resume",
            "collective_rpc",
            "reset_prefix_cache",
            "reset_mm_cache",
            "reset_encoder_cache",
            "sleep",
            "wake_up",
        ]
        self.routes: dict[str, Route] = {f"/{name}": done for name in dev}
        self.routes |= {f"/v1/{name}_lora_adapter": done for name in ("load", "unload")}
        self.routes["/v1/models"] = lambda body: (200, {"data": [{"id": "base"}]})
        self.routes["/server_info"] = lambda body: (200, {"vllm_config": {"logprobs_mode": "processed_logprobs"}})
        self.routes["/v1/chat/completions"] = chat
        self.url = ""

    def paths(self) -> list[str]:
        """Return what was asked for after the two questions of the start."""
        return [path for path, _ in self.asked[2:]]

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for asked, body in self.asked if asked == path]

    def answer(self, path: str, raw: bytes) -> tuple[int, bytes]:
        body = json.loads(raw) if raw else {}
        self.asked.append((path, body))
        route = self.routes.get(path.partition("?")[0])
        status, found = route(body) if route else (404, {"detail": "Not Found"})
        return status, found if isinstance(found, bytes) else json.dumps(found).encode()


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    """Serve on a free port of this machine."""

    class Handler(Quiet):
        def do_POST(self) -> None:
            self.reply(*stub.answer(self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))

        do_GET = do_POST

    with listening(Handler) as address:
        stub.url = f"{address}/v1"
        yield stub
