"""vLLM behind HTTP: `vllm serve` with its chat completions and the routes of its development mode."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from reelgym.errors import RequestError, WorkError
from reelgym.rollout.vllm import BAR, Answered, Ask, Member

MOST_BYTES = 256 * 2**20
"""Longest reply that is read: 64 completions of 32,768 tokens with their log-probs are about half of it."""

START = "VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --logprobs-mode processed_logprobs --generation-config vllm"
"""How a server is started."""


class Server:
    """A vLLM server.

    Args:
        url: Its address, with or without `/v1`.
        seconds: Longest wait for one reply.
        tries: Attempts where a fault may pass: no connection, no reply in time, status 5xx.
        at_once: Requests under way at once.
    """

    shared = True

    def __init__(self, url: str, *, seconds: float = 1800.0, tries: int = 4, at_once: int = 64) -> None:
        """Ask the server what it serves and how.

        Raises:
            RequestError: It is no vLLM in development mode, or gives other log-probs than training needs.
            WorkError: It does not answer.
        """
        self._base = url.rstrip("/").removesuffix("/v1")
        self._tries, self._at_once = tries, at_once
        timeout = httpx.Timeout(seconds, connect=min(30.0, seconds))
        self._client = httpx.Client(timeout=timeout, limits=httpx.Limits(max_connections=at_once))
        self._base_model = self.model = str(self._get("/v1/models")["data"][0]["id"])
        self._check_mode()

    def ask(self, groups: Sequence[Ask]) -> list[Answered]:
        """Return the groups in order."""
        with ThreadPoolExecutor(min(self._at_once, len(groups))) as pool:
            return list(pool.map(self._ask, groups))

    def load(self, folder: Path, *, adapter: bool, tower: bool) -> None:
        """Take the weights in a folder that the server sees under the same path; requests under way end first."""
        self._post("/pause?mode=wait", {})
        try:
            if adapter:
                self._load_adapter(folder)
            else:
                self._post("/collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": str(folder)}})
            self._post("/reset_prefix_cache", {})
            if tower:
                # Both hold what the old tower said: of pictures, and of pictures by their hash.
                self._post("/reset_mm_cache", {})
                self._post("/reset_encoder_cache", {})
        finally:
            self._post("/resume", {})

    def sleep(self) -> None:
        """Give back memory until `wake`; the server was started with `--enable-sleep-mode`."""
        self._post("/sleep?level=1", {})

    def wake(self) -> None:
        """Take the memory back."""
        self._post("/wake_up", {})

    def _load_adapter(self, folder: Path) -> None:
        """Load the adapter under a new name: prefixes are cached by name."""
        name = f"reelgym-{folder.name}"
        self._post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(folder)})
        if self.model != self._base_model:
            self._post("/v1/unload_lora_adapter", {"lora_name": self.model})
        self.model = name

    def _ask(self, group: Ask) -> Answered:
        body = group.settings() | {
            "model": self.model,
            "messages": group.messages,
            "logprobs": True,
            "top_logprobs": 0,
            "return_token_ids": True,
            "logit_bias": {str(barred): BAR for barred in group.barred},
        }
        found = self._post("/v1/chat/completions", body | ({"mm_processor_kwargs": group.media} if group.media else {}))
        try:
            choices = sorted(found["choices"], key=lambda choice: choice["index"])
            return Answered(prompt_ids=list(found["prompt_token_ids"]), members=[_member(one) for one in choices])
        except (KeyError, TypeError, ValueError) as fault:
            raise WorkError(f"{self._base}: a reply without {fault}: is it vLLM 0.11 or newer?") from fault

    def _check_mode(self) -> None:
        told = re.search(r"logprobs_mode\W+(\w+)", json.dumps(self._get("/server_info?config_format=json")))
        if told and told[1] != "processed_logprobs":
            raise RequestError(f"{self._base} returns {told[1]}: start it with --logprobs-mode processed_logprobs")

    def _get(self, path: str) -> Any:
        return self._exchange("GET", path, None)

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._exchange("POST", path, body)

    def _exchange(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """Return the JSON of a reply, {} where it has none; what may pass is tried again, a little later each time."""
        reason = ""
        for attempt in range(self._tries):
            if attempt:
                time.sleep(0.5 * 2**attempt)
            try:
                status, raw = self._once(method, path, body)
            except httpx.TransportError as fault:
                reason = f"{type(fault).__name__} {fault}".strip()
                continue
            if status < 500:
                return self._read(path, status, raw)
            reason = f"status {status}: {_short(raw)}"
        raise WorkError(f"{self._base}{path}: {reason} ({self._tries} attempts). Is it up? {START}")

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
        with self._client.stream(method, self._base + path, json=body) as response:
            raw = bytearray()
            for part in response.iter_bytes():
                raw += part
                if len(raw) > MOST_BYTES:
                    raise WorkError(f"{self._base}{path}: a reply of more than {MOST_BYTES} bytes")
            return response.status_code, bytes(raw)

    def _read(self, path: str, status: int, raw: bytes) -> Any:
        if status == 404:
            raise RequestError(f"{self._base} has no {path.partition('?')[0]}: start it as {START}")
        if status != 200:
            raise WorkError(f"{self._base}{path}: status {status}: {_short(raw)}")
        try:
            return json.loads(raw) if raw.strip() else {}
        except ValueError as fault:
            raise WorkError(f"{self._base}{path}: a reply that is no JSON: {_short(raw)}") from fault


def _member(choice: Mapping[str, Any]) -> Member:
    given = (choice.get("logprobs") or {}).get("content")
    return Member(
        ids=[int(token) for token in choice["token_ids"]],
        logprobs=None if given is None else [float(token["logprob"]) for token in given],
        finish=str(choice["finish_reason"]),
        reason=choice.get("stop_reason"),
    )


def _short(raw: bytes) -> str:
    return " ".join(raw[:300].decode("utf-8", "replace").split())
