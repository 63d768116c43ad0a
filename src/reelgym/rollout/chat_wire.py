"""One attempt of one request over HTTP: the reply as values, or the fault as it stands."""

from __future__ import annotations

import email.utils
import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from reelgym.errors import RequestError

MOST_BYTES = 32 * 2**20
"""Longest body that is read; a chat reply is a few kilobytes. Ours."""

_PASSING = frozenset({408, 409, 425, 429})
_UNSUPPORTED = re.compile(
    r"not support|unsupported|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|extra (?:inputs|fields)|"
    r"only the default|invalid param|deprecated",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\W*(?:i(?:'|\u2019)?m sorry|i am sorry|sorry,|i apologi[sz]e|i can(?:'|\u2019)?t |i cannot |"
    r"i(?:'|\u2019)m unable|i am unable|i won(?:'|\u2019)t |as an ai)",
    re.IGNORECASE,
)
_SHORT = 400


@dataclass(frozen=True)
class Fault:
    """Why an attempt gave no reply.

    Attributes:
        reason: One line, without the key.
        status: Of HTTP, or of the error inside of a reply of status 200; 0 where there is none.
        transient: Whether it may pass.
        retry_after: Seconds the endpoint asks to wait; None where it does not.
        unreachable: Whether no connection was made.
        parameter: The parameter that the endpoint names; empty where it names none.
    """

    reason: str
    status: int = 0
    transient: bool = False
    retry_after: float | None = None
    unreachable: bool = False
    parameter: str = ""

    def refused_parameter(self, names: Sequence[str]) -> str | None:
        """Return which of these parameters the endpoint does not take, or None where the fault is another.

        >>> Fault("Unsupported parameter: 'max_tokens'.", 400).refused_parameter(["temperature", "max_tokens"])
        'max_tokens'
        >>> Fault("maximum context length is 100, max_tokens is 200", 400).refused_parameter(["max_tokens"]) is None
        True
        """
        if self.status not in (400, 422) or not _UNSUPPORTED.search(self.reason):
            return None
        if self.parameter in names:
            return self.parameter
        found = {match: name for name in names if (match := self.reason.find(name)) >= 0 and _whole(name, self.reason)}
        return found[min(found)] if found else None


Reader = Callable[[int, Mapping[str, str], bytes], dict[str, Any] | Fault]
"""Makes something of a response."""


def _whole(name: str, text: str) -> bool:
    return re.search(rf"(?<![A-Za-z_]){name}(?![A-Za-z_])", text) is not None


class Wire:
    """Posts bodies to one address; threads may share it."""

    def __init__(self, url: str, key_env: str, timeout_seconds: float) -> None:
        """Name the address; the key is read from the environment at every request, and kept nowhere.

        Raises:
            RequestError: A variable other than the default is named and not set.
        """
        base = url.rstrip("/")
        self._url = base if base.endswith("/chat/completions") else f"{base}/chat/completions"
        self._key_env, self._seconds = key_env, timeout_seconds
        if key_env != "OPENAI_API_KEY" and not os.environ.get(key_env):
            raise RequestError(f"the environment variable {key_env} is not set: export it, or name another one")
        timeout = httpx.Timeout(timeout_seconds, connect=min(30.0, timeout_seconds))
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        self._client = httpx.Client(timeout=timeout, limits=limits, follow_redirects=False)

    def post(self, body: Mapping[str, Any], key: str, reader: Reader | None = None) -> dict[str, Any] | Fault:
        """Return the fields of a `chat.Reply`, or the fault; `key` goes along as `Idempotency-Key`.

        `reader` makes something else of status, headers and body.
        """
        secret = os.environ.get(self._key_env, "")
        headers = {"Idempotency-Key": key} | ({"Authorization": f"Bearer {secret}"} if secret else {})
        try:
            content = json.dumps(body, ensure_ascii=True).encode("ascii")
            status, sent, raw = self._exchange(content, headers | {"Content-Type": "application/json"})
            found: dict[str, Any] | Fault = (reader or read)(status, sent, raw)
        except httpx.ConnectError as error:
            found = Fault(f"no connection: {error}", transient=True, unreachable=True)
        except httpx.TimeoutException:
            found = Fault(f"no reply within {self._seconds:g} s", transient=True)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            found = Fault(f"{type(error).__name__}: {error}", transient=isinstance(error, httpx.TransportError))
        if isinstance(found, Fault) and secret and secret in found.reason:
            return Fault(**vars(found) | {"reason": found.reason.replace(secret, "(key)")})
        return found

    def _exchange(self, content: bytes, headers: Mapping[str, str]) -> tuple[int, httpx.Headers, bytes]:
        """Return status, headers and body, read within the time-out as a whole and not beyond the largest size."""
        deadline = time.monotonic() + self._seconds
        with self._client.stream("POST", self._url, content=content, headers=dict(headers)) as response:
            parts, size = [], 0
            for part in response.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise httpx.RemoteProtocolError(f"a reply of more than {MOST_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise httpx.ReadTimeout("the reply trickles")
            return response.status_code, response.headers, b"".join(parts)


def read(status: int, headers: Mapping[str, str], raw: bytes) -> dict[str, Any] | Fault:
    """Return the fields of a `chat.Reply` from a response, or its fault."""
    text, intact = _decoded(raw)
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    if status != 200 or error is not None:
        return _fault(status, headers, error if error is not None else body, text)
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return Fault(f"status 200 without a choice: {_line(text)}", 200, transient=True)
    return _reply(body, choices[0], intact)


def _reply(body: Mapping[str, Any], choice: Mapping[str, Any], intact: bool) -> dict[str, Any]:
    given = choice.get("message")
    message: Mapping[str, Any] = given if isinstance(given, dict) else {}
    text, whole = _clean(_text(message.get("content")))
    refusal, _ = _clean(_text(message.get("refusal")))
    used = body.get("usage")
    usage: Mapping[str, Any] = used if isinstance(used, dict) else {}
    return {
        "text": text,
        "outcome": _outcome(text, refusal, choice.get("finish_reason")),
        "reason": _line(refusal),
        "intact": intact and whole,
        "model": str(body.get("model") or ""),
        "fingerprint": str(body.get("system_fingerprint") or ""),
        "prompt_tokens": _count(usage.get("prompt_tokens")),
        "completion_tokens": _count(usage.get("completion_tokens")),
    }


def _outcome(text: str, refusal: str, finish: object) -> str:
    if finish == "content_filter":
        return "filtered"
    if refusal:
        return "refusal"
    if finish == "length":
        return "cut_off"
    if not text.strip():
        return "empty"
    return "refusal" if is_refusal(text) else "ok"


def is_refusal(text: str) -> bool:
    """Return whether a short text without tags begins as models begin when they refuse. The words are ours.

    >>> is_refusal("I'm sorry, but I can't help with that."), is_refusal("<answer>I cannot see</answer>")
    (True, False)
    """
    return len(text) <= _SHORT and "<" not in text and _REFUSAL.match(text) is not None


def _fault(status: int, headers: Mapping[str, str], error: object, text: str) -> Fault:
    """Return the fault of a response; one of status 200 has the status that its error names."""
    about: Mapping[str, Any] = error if isinstance(error, dict) else {}
    inner = about.get("error")
    about = inner if isinstance(inner, dict) else about
    reason = about.get("message") or about.get("detail") or (error if isinstance(error, str) else text)
    code = about.get("code")
    if status == 200:
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
    parameter = about.get("param")
    return Fault(
        reason=f"status {status}: {_line(reason if isinstance(reason, str) else json.dumps(reason))}",
        status=status,
        transient=status in _PASSING or status >= 500,
        retry_after=_retry_after(headers),
        parameter=parameter if isinstance(parameter, str) else "",
    )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After`: a number, or a date; None where it is neither."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,6})?", value):
        return float(value)
    try:
        at = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, at.timestamp() - time.time())


def _decoded(raw: bytes) -> tuple[str, bool]:
    try:
        return raw.decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace"), False


def _clean(text: str) -> tuple[str, bool]:
    """Return text that can be written as UTF-8: half a surrogate pair, as JSON may escape it, becomes U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), False
    return text, True


def _text(content: object) -> str:
    """Return the text of a content: a string, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _line(text: str) -> str:
    return " ".join(text.split())[:300]
