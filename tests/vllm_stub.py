"""A local HTTP server that speaks what the sampler uses of vLLM's protocol; the test sets what it says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, content = stub.answer(self.path, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{http.server_port}/v1"
    try:
        yield stub
    finally:
        http.shutdown()
        http.server_close()
        thread.join(60)
