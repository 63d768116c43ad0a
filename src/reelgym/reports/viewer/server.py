"""The server behind a page: this machine only, read only, at an address with a secret in it.

It listens on 127.0.0.1, answers only requests that name that very host and port (a foreign page that resolves its own
name to this machine is refused) and begin with a random token. The policy of the page lets it load from here alone.
"""

from __future__ import annotations

import hmac
import json
import secrets
import sys
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from reelgym.errors import MediaError, ReelgymError, RequestError
from reelgym.reports.page import asset, environment
from reelgym.reports.viewer.browser import MOST_ROWS, Asked, Browser
from reelgym.reports.viewer.columns import whole

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Sent with every answer."""

_ASSETS = {"view.css": "text/css", "view.js": "text/javascript"}
_LONGEST = 500
"""Letters of one value of a request."""

Answer = tuple[str, bytes]
"""Media type and content."""


class Viewer(ThreadingHTTPServer):
    """Serves one browser until it is shut down.

    Attributes:
        url: The address of the page, with its token.
    """

    daemon_threads = True

    def __init__(self, browser: Browser, port: int = 0) -> None:
        """Listen; nothing is answered before `serve_forever`.

        Args:
            browser: What to show.
            port: 0 takes a free one.

        Raises:
            RequestError: The port is taken or not allowed.
        """
        self.browser, self._token = browser, secrets.token_urlsafe(18)
        try:
            super().__init__(("127.0.0.1", port), _Handler)
        except (OSError, OverflowError) as error:
            remedy = "give another with --port, or leave it out for a free one"
            raise RequestError(f"port {port} cannot be used ({error}): {remedy}") from None
        self._hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}
        self.url = f"http://127.0.0.1:{self.server_port}/{self._token}/"

    def is_meant(self, host: str | None) -> bool:
        """Say whether a request names this very server as its host."""
        return host in self._hosts

    def inside(self, path: str) -> str | None:
        """Return what follows the token in a path, None where it does not begin with it."""
        token, slash, rest = path.removeprefix("/").partition("/")
        return rest if slash and hmac.compare_digest(token.encode(), self._token.encode()) else None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over readers that went away; report anything else as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def answer(browser: Browser, name: str, asked: dict[str, str]) -> Answer | None:
    """Return what an address of the page gives, None where there is no such address.

    Args:
        browser: What to show.
        name: The address after the token.
        asked: Its query.

    Raises:
        ReelgymError: It cannot be given; the message is for the reader.
    """
    if name in _ASSETS:
        return f"{_ASSETS[name]}; charset=utf-8", _asset(name)
    if name == "":
        return _html(environment().get_template("view.html.j2").render(title=browser.about()["title"]))
    if name == "about":
        return _json(browser.about() | {"kind": browser.kind, "stamp": browser.stamp()})
    if name == "stamp":
        return _json({"stamp": browser.stamp()})
    if name == "rows":
        return _json(browser.listing(asked.get("tab", "")).answer(wanted(asked)))
    if name == "item":
        return _html(browser.item(asked.get("tab", ""), asked.get("key", "")))
    if name == "page":
        return _html(environment().get_template("overview.html.j2").render(page=browser.page(asked.get("tab", ""))))
    if name == "frame":
        part, place = (whole(asked.get(one, ""), one, 10**6) for one in ("part", "place"))
        return "image/jpeg", browser.picture(asked.get("key", ""), part, place, large="large" in asked)
    return None


def wanted(asked: dict[str, str]) -> Asked:
    """Return what rows a query asks for; its filters are named `f.NAME`."""
    filters = {name.removeprefix("f."): value for name, value in asked.items() if name.startswith("f.") and value}
    found = Asked(words=asked.get("q", "").strip(), filters=filters, sort=asked.get("sort", ""))
    offset = whole(asked.get("offset", "0"), "offset", 10**9)
    return replace(found, offset=offset, limit=whole(asked.get("limit", "50"), "limit", MOST_ROWS))


class _Handler(BaseHTTPRequestHandler):
    server: Viewer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "reelgym", ""
    timeout = 60

    def do_GET(self) -> None:
        """Answer one request."""
        split = urlsplit(self.path)
        name = self.server.inside(split.path)
        if not self.server.is_meant(self.headers.get("Host")) or name is None:
            self._send(404, _text("This is not the address of the page: take the one that the command printed."))
            return
        try:
            query = dict(parse_qsl(split.query, keep_blank_values=True, max_num_fields=100))
            if any(len(value) > _LONGEST for value in query.values()):
                raise RequestError(f"a value of the address is longer than {_LONGEST} letters")
            found = answer(self.server.browser, name, query)
        except (MediaError, OSError) as error:
            self._send(404, _text(str(error)))
        except (ReelgymError, ValueError) as error:
            self._send(400, _text(str(error)))
        else:
            self._send(200 if found else 404, found or _text(f"There is nothing at {name[:80]!r}."), name == "frame")

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""

    def _send(self, status: int, found: Answer, is_lasting: bool = False) -> None:
        kind, content = found
        self.send_response(status)
        cache_for = "private, max-age=3600" if is_lasting and status == 200 else "no-store"
        for header, value in {
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            "Cache-Control": cache_for,
        }.items():
            self.send_header(header, value)
        for header, value in HEADERS.items():
            self.send_header(header, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@cache
def _asset(name: str) -> bytes:
    """Return a file of the page; the style of reports comes before that of the viewer."""
    texts = [asset("page.css"), asset(name)] if name == "view.css" else [asset(name)]
    return "\n".join(texts).encode()


def _html(text: str) -> Answer:
    return "text/html; charset=utf-8", text.encode()


def _json(value: Any) -> Answer:
    return "application/json", json.dumps(value, ensure_ascii=False).encode()


def _text(words: str) -> Answer:
    return "text/plain; charset=utf-8", words.encode(errors="replace")
