"""The chat client against a real HTTP server: retries, refusals, faults, and that nothing is paid twice."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import Said, serving, text_of
from numpy.typing import NDArray
from PIL import Image as Picture

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.errors import RequestError, WorkError
from reelgym.rollout.chat import Chat, ChatRequest, Endpoint
from reelgym.rollout.chat_form import to_chat
from reelgym.rollout.chat_wire import read
from reelgym.rollout.paid import Journal
from reelgym.video.types import FrameSpec

SPEC = FrameSpec(times=(0.0, 1.5), size=(28, 28))


def request(text: str, **settings: Any) -> ChatRequest:
    return ChatRequest(messages=(Message("user", (Text(text),)),), **settings)


def endpoint(url: str, **settings: Any) -> Endpoint:
    return Endpoint(url=url, model="m", **{"backoff_seconds": 0.01, "timeout_seconds": 60.0} | settings)


def pixels(part: Image | Clip) -> NDArray[np.uint8]:
    count = 1 if isinstance(part, Image) else len(part.times)
    return np.stack([np.full((28, 28, 3), 40 * (k + 1), np.uint8) for k in range(count)])


def test_a_reply_has_its_text_and_tokens_and_is_never_asked_for_again(tmp_path: Path) -> None:
    with serving(lambda body, before: Said("red")) as server:
        for cached in (False, True):
            with Journal(tmp_path / "paid.jsonl") as journal:
                chat = Chat(endpoint(server.url, price=(2.0, 10.0)), journal)
                reply = chat.ask(request("colour?"))
            assert (reply.text, reply.outcome, reply.cached) == ("red", "ok", cached)
            assert (reply.prompt_tokens, reply.completion_tokens) == (10, 5)
        assert len(server.bodies) == 1
        # 10 tokens read at 2 and 5 written at 10 per million.
        assert chat.endpoint.cost(10, 5) == pytest.approx(70e-6)
        assert server.bodies[0] == {
            "model": "m",
            "messages": [{"role": "user", "content": "colour?"}],
            "max_tokens": 1024,
            "temperature": 0.0,
        }


def test_another_model_setting_draw_or_text_is_another_request_and_another_address_is_not() -> None:
    one = Chat(endpoint("http://a/v1"))
    keys = [one.key(request("a")), one.key(request("b")), one.key(request("a", temperature=1.0))]
    keys += [one.key(request("a", draw=1)), Chat(Endpoint(url="http://a/v1", model="n")).key(request("a"))]
    assert len(set(keys)) == 5
    assert Chat(endpoint("http://b/v1")).key(request("a")) == keys[0]


def test_a_torn_last_line_is_cut_off_and_a_damaged_one_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "paid.jsonl"
    with Journal(path) as journal:
        journal.put("a", {"n": 1})
        journal.put("b", {"n": 2})
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with Journal(path) as journal:
            assert [key for key in ("a", "b") if journal.get(key)] == ["a", "b"][: journal_lines(whole[:cut])]
            assert journal.damaged == 0
            journal.put("c", {"n": 3})
            assert journal.get("c") == {"key": "c", "n": 3}
    path.write_bytes(b"\x00\xff\n" + whole)
    with Journal(path) as journal, pytest.raises(RequestError, match="in use by another run"):
        assert (journal.damaged, journal.get("b")) == (1, {"key": "b", "n": 2})
        Journal(path)


def journal_lines(text: bytes) -> int:
    """Lines that are whole, the newline aside."""
    return sum(1 for line in text.split(b"\n") if line.endswith(b"}"))


def test_faults_that_pass_are_tried_again_and_the_wait_the_server_asks_for_is_kept() -> None:
    faults = [
        Said(status=429, headers={"Retry-After": "1"}, raw=b"slow down"),
        Said(status=500),
        Said(raw=b"not json"),
        Said(raw=b'{"error": {"message": "overloaded"}}'),
        Said(raw=b'{"choices": []}'),
    ]
    with serving(lambda body, before: faults[before] if before < len(faults) else Said("ok")) as server:
        chat = Chat(endpoint(server.url))
        begun = time.monotonic()
        assert chat.ask(request("a"), "step").text == "ok"
        assert time.monotonic() - begun >= 1.0
        assert chat.spent["step"].attempts == 6
        assert len(set(map(str, server.bodies))) == 1


def test_a_request_that_keeps_failing_is_a_failure_that_may_pass_and_is_asked_again_later(tmp_path: Path) -> None:
    with serving(lambda body, before: Said(status=503) if before < 3 else Said("fine")) as server:
        with Journal(tmp_path / "paid.jsonl") as journal:
            reply = Chat(endpoint(server.url, retries=2), journal).ask(request("a"))
        assert (reply.outcome, reply.transient, reply.text) == ("failed", True, "")
        assert "503" in reply.reason
        with Journal(tmp_path / "paid.jsonl") as journal:
            chat = Chat(endpoint(server.url), journal)
            assert chat.in_doubt == 0
            assert chat.ask(request("a")).text == "fine"


def test_a_bad_request_is_not_tried_again() -> None:
    raw = b'{"error": {"message": "maximum context length is 10, max_tokens is 1024"}}'
    with serving(lambda body, before: Said(status=400, raw=raw)) as server:
        reply = Chat(endpoint(server.url)).ask(request("a"))
        assert (reply.outcome, reply.transient) == ("failed", False)
        assert "maximum context length" in reply.reason
        assert len(server.bodies) == 1


def test_parameters_that_are_refused_are_replaced_once_and_remembered(tmp_path: Path) -> None:
    def answer(body: dict[str, Any], before: int) -> Said:
        if "max_tokens" in body:
            error = {
                "message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.",
                "param": "max_tokens",
            }
            return Said(status=400, raw=json.dumps({"error": error}).encode())
        if "temperature" in body:
            error = {"message": "'temperature' does not support 0.0; only the default (1) value is supported."}
            return Said(status=400, raw=json.dumps({"error": error}).encode())
        return Said("yes")

    with serving(answer) as server:
        with Journal(tmp_path / "paid.jsonl") as journal:
            chat = Chat(endpoint(server.url), journal)
            assert chat.ask(request("a")).text == chat.ask(request("b")).text == "yes"
            assert chat.adapted == {"max_tokens": "max_completion_tokens", "temperature": ""}
        assert len(server.bodies) == 4
        assert {"max_completion_tokens": 1024}.items() <= server.bodies[-1].items()
        with Journal(tmp_path / "paid.jsonl") as journal:
            assert Chat(endpoint(server.url), journal).ask(request("c")).text == "yes"
        assert len(server.bodies) == 5


CHOICE = '{"choices": [{"finish_reason": %s, "message": {"content": %s, "refusal": %s}}]}'


@pytest.mark.parametrize(
    ("finish", "content", "refusal", "outcome"),
    [
        ('"stop"', '"red"', "null", "ok"),
        ("null", '[{"type": "text", "text": "red"}]', "null", "ok"),
        ('"length"', '"re"', "null", "cut_off"),
        ('"content_filter"', '""', "null", "filtered"),
        ('"stop"', "null", '"No."', "refusal"),
        ('"stop"', '"I\'m sorry, but I cannot help with that."', "null", "refusal"),
        ('"stop"', '" \\n"', "null", "empty"),
        ('"stop"', "null", "null", "empty"),
    ],
)
def test_outcomes_are_told_apart(finish: str, content: str, refusal: str, outcome: str) -> None:
    found = read(200, {}, (CHOICE % (finish, content, refusal)).encode())
    assert isinstance(found, dict)
    assert found["outcome"] == outcome


def test_text_that_is_no_utf8_is_marked_and_can_be_kept(tmp_path: Path) -> None:
    raw = (CHOICE % ('"stop"', '"re?d"', "null")).encode().replace(b"?", b"\xff")
    half = (CHOICE % ('"stop"', '"re\\ud83dd"', "null")).encode()
    for body in (raw, half):
        with (
            serving(lambda _, before, body=body: Said(raw=body)) as server,
            Journal(tmp_path / "paid.jsonl") as journal,
        ):
            reply = Chat(Endpoint(url=server.url, model=str(len(body))), journal).ask(request("a"))
        assert (reply.text, reply.intact, reply.outcome) == ("re\ufffdd", False, "ok")


def test_a_slow_reply_is_given_up_at_the_time_out() -> None:
    with serving(lambda body, before: Said("late", seconds=0.0 if before else 3.0)) as server:
        chat = Chat(endpoint(server.url, timeout_seconds=1.0))
        assert chat.ask(request("a"), "s").text == "late"
        assert chat.spent["s"].attempts == 2


def test_as_many_requests_are_in_flight_as_stated_and_no_more() -> None:
    barrier = threading.Barrier(4)

    def answer(body: dict[str, Any], before: int) -> Said:
        barrier.wait(60)  # Nobody goes on before four are there.
        return Said(text_of(body))

    with serving(answer) as server:
        chat = Chat(endpoint(server.url, in_flight=4))
        told: list[tuple[int, int]] = []
        work = [str(n) for n in range(12)]
        found = dict(chat.each(work, lambda n: chat.ask(request(n)).text, lambda *at: told.append(at)))
        assert found == dict(enumerate(work))
        assert server.most == 4
        assert told == [(n, 12) for n in range(1, 13)]


def test_the_rate_limit_spaces_attempts() -> None:
    with serving(lambda body, before: Said("a")) as server:
        chat = Chat(endpoint(server.url, per_minute=600))
        begun = time.monotonic()
        list(chat.each(range(6), lambda n: chat.ask(request(str(n)))))
        assert time.monotonic() - begun >= 0.5  # Six attempts, a tenth of a second apart.


def test_the_same_request_at_the_same_time_is_sent_once(tmp_path: Path) -> None:
    with serving(lambda body, before: Said("a", seconds=0.2)) as server, Journal(tmp_path / "paid.jsonl") as journal:
        chat = Chat(endpoint(server.url), journal)
        replies = [reply for _, reply in chat.each(range(8), lambda n: chat.ask(request("same")))]
        assert len(server.bodies) == 1
        assert sorted(reply.cached for reply in replies) == [False] + [True] * 7


def test_an_endpoint_that_is_down_or_refuses_the_key_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkError, match="does not answer"):
        Chat(endpoint("http://127.0.0.1:9/v1")).ask(request("a"))
    monkeypatch.setenv("MY_KEY", "sk-secret")
    with serving(lambda body, before: Said(status=401, raw=b"bad key sk-secret")) as server:
        with pytest.raises(RequestError, match=r"refuses the key .*MY_KEY") as caught:
            Chat(endpoint(server.url, key_env="MY_KEY")).ask(request("a"))
        assert "sk-secret" not in str(caught.value)
        assert server.headers[0]["Authorization"] == "Bearer sk-secret"
    with serving(lambda body, before: Said(status=404)) as server, pytest.raises(RequestError, match="no such address"):
        Chat(endpoint(server.url)).ask(request("a"))
    with (
        serving(lambda body, before: Said(status=500)) as server,
        pytest.raises(WorkError, match=r"failed \d+ requests"),
    ):
        chat = Chat(endpoint(server.url, retries=0))
        list(chat.each(range(20), lambda n: chat.ask(request(str(n)))))
    with pytest.raises(RequestError, match="NO_SUCH is not set"):
        Chat(endpoint("http://a", key_env="NO_SUCH"))


def test_the_key_is_kept_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with serving(lambda body, before: Said("a")) as server, Journal(tmp_path / "paid.jsonl") as journal:
        chat = Chat(endpoint(server.url), journal)
        chat.ask(request("a"))
        assert "sk-secret" not in repr(vars(chat)) + repr(chat.endpoint)
    assert b"sk-secret" not in (tmp_path / "paid.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"url": "localhost:8000"}, "begins with http"),
        ({"url": "https://me:secret@host/v1"}, "without a password"),
        ({"model": " "}, "a model's name"),
        ({"in_flight": 0}, "1 to 1024"),
        ({"clips": "gif"}, "unknown clips 'gif'"),
    ],
)
def test_wrong_endpoints_are_told_in_one_line(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        Endpoint(**{"url": "http://a", "model": "m"} | settings)


def test_a_date_says_when_to_come_back_too() -> None:
    fault = read(429, {"retry-after": formatdate(time.time() + 50)}, b"")
    assert not isinstance(fault, dict)
    assert 0 < (fault.retry_after or 0) <= 50


def test_pictures_go_as_data_urls_and_clips_as_frames_with_times_or_as_one_video() -> None:
    clip = Clip(video="full:a", spec=SPEC, times=(0.0, 1.5), shown_seconds=(0.0, 2.0))
    image = Image(video="full:a", spec=SPEC, time=0.0)
    messages = (Message("system", (Text("s"),)), Message("user", (clip, Text("q"), image)))
    system, user = to_chat(messages, pixels, encoding="png")
    assert system == {"role": "system", "content": "s"}
    kinds = [part.get("text", part["type"]) for part in user["content"]]
    assert kinds == ["[0.0 s]", "image_url", "[2.0 s]", "image_url", "q", "image_url"]
    head, _, data = user["content"][3]["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert np.array_equal(np.asarray(Picture.open(io.BytesIO(base64.b64decode(data)))), pixels(clip)[1])
    video = to_chat(messages, pixels, clips="video")[1]["content"][0]["video_url"]["url"]
    head, *frames = video.split(",")
    assert head == "data:video/jpeg;base64"
    assert [Picture.open(io.BytesIO(base64.b64decode(frame))).format for frame in frames] == ["JPEG", "JPEG"]
