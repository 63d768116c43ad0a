"""Endpoints and stored replies asked like any model: outcomes, resumption, budgets, fingerprints."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import Said as Sent
from chat_server import serving, text_of
from evaluation_samples import SPEC, media, sample

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError, WorkError
from reelgym.evaluation import results
from reelgym.evaluation.ask import ask, prompts
from reelgym.evaluation.frames import budgeted
from reelgym.evaluation.purse import Purse, prompt_tokens
from reelgym.evaluation.runner import OutOfBudget, evaluate
from reelgym.evaluation.speakers import Manners, Remote, Stored, endpoint_of, speaker
from reelgym.evaluation.versus import versus
from reelgym.rollout.chat import Endpoint


def numbered(count: int) -> list[Sample]:
    """Return samples that a server can tell apart."""
    return [
        replace(one, messages=(*one.messages, Message("user", (Text(f"Number {place}."),))))
        for place, one in enumerate(sample(index) for index in range(count))
    ]


def number_of(body: dict[str, Any]) -> int:
    found = re.search(r"Number (\d+)\.", text_of(body))
    assert found
    return int(found[1])


def remote(url: str, journal: Path, *, purse: Purse | None = None, **settings: Any) -> Remote:
    told = {"backoff_seconds": 0.01, "retries": 1, "timeout_seconds": 60.0, "in_flight": 2}
    return Remote(Endpoint(url=url, model="m", **{**told, **settings}), journal, purse)


def test_what_became_of_every_question_is_counted_apart_and_read_back(tmp_path: Path) -> None:
    filtered = Sent("2, 1", finish="content_filter")
    said = [Sent("2, 1"), Sent("I'm sorry, but I can't help."), filtered, Sent("2, 1", finish="length"), Sent("")]
    with (
        serving(lambda body, before: ([*said, Sent(status=400, raw=b'{"error": "no"}')])[number_of(body)]) as server,
        remote(server.url, tmp_path / "asked.jsonl", price=(2.0, 10.0)) as asked,
    ):
        found = evaluate(asked, numbered(6), media, variant="direct", model="m")
    outcomes = ["ok", "refusal", "filtered", "cut_off", "empty", "failed"]
    assert [row.outcome for row in found.rows] == outcomes
    assert found.rows[0].number("exact") == 1.0 and not found.rows[5].valid and "status 400" in found.rows[5].reason
    # Five replies of 10 tokens read at 2 and 5 written at 10 per million.
    assert found.usage()["money"] == pytest.approx(5 * 70e-6)
    assert found.usage()["outcomes"] == dict.fromkeys(outcomes, 1)
    assert found.settings["partial"].startswith("1 of 6 questions failed")
    results.write(tmp_path / "out", {"a": found, "b": found})
    assert results.read(tmp_path / "out")["a"].rows == found.rows
    with pytest.raises(RequestError, match="partial results are not compared"):
        versus(results.read(tmp_path / "out"))


def test_an_older_file_of_replies_is_still_read(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    (tmp_path / "r.csv").write_text('id,reply\nmvp-000,"2, 1"\n', encoding="utf-8")
    found = evaluate(Stored(tmp_path / "r.csv"), [sample(0)], media, variant="stored")
    results.write(tmp_path, {"a": found})
    path = tmp_path / "replies-a.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["outcome", "reason", "prompt_tokens"]), path)
    assert results.read(tmp_path)["a"].rows == found.rows


@pytest.mark.parametrize("killed_after", [0, 1, 3])
def test_killed_and_resumed_no_question_is_asked_twice_and_the_result_is_the_same(
    tmp_path: Path, killed_after: int
) -> None:
    def stop(done: int, _: int) -> None:
        if done > killed_after:
            raise KeyboardInterrupt

    def told(found: results.Evaluation) -> dict[str, Any]:
        return found.summary() | {"seconds": 0, "settings": found.settings | {"endpoint": ""}}

    with serving(lambda body, before: Sent(f"2, {1 + number_of(body) % 2}")) as server:
        with remote(server.url, tmp_path / "a.jsonl", in_flight=1) as asked, pytest.raises(KeyboardInterrupt):
            evaluate(asked, numbered(5), media, variant="direct", progress=stop)
        with remote(server.url, tmp_path / "a.jsonl", in_flight=1) as asked:
            resumed = evaluate(asked, numbered(5), media, variant="direct")
        assert sorted(number_of(body) for body in server.bodies) == [0, 1, 2, 3, 4]
        with remote(server.url, tmp_path / "b.jsonl") as asked:
            whole = evaluate(asked, numbered(5), media, variant="direct")
    assert resumed.rows == whole.rows and told(resumed) == told(whole)


def test_refused_parameters_are_found_once_and_stored_with_the_result(tmp_path: Path) -> None:
    def strict(body: dict[str, Any], before: int) -> Sent:
        wrong = next((name for name in ("max_tokens", "temperature") if name in body), None)
        return Sent(status=400, raw=f"Unsupported parameter: '{wrong}'".encode()) if wrong else Sent("2, 1")

    with serving(strict) as server, remote(server.url, tmp_path / "a.jsonl", in_flight=1) as asked:
        found = evaluate(asked, numbered(4), media, variant="direct")
        assert len(server.bodies) == 2 + 4
    assert found.settings["adapted"] == {"max_tokens": "max_completion_tokens", "temperature": ""}


def test_a_change_of_the_model_during_the_evaluation_is_an_error(tmp_path: Path) -> None:
    def moving(body: dict[str, Any], before: int) -> Sent:
        whole = json.loads(Sent("2, 1").content("m"))
        return Sent(raw=json.dumps(whole | {"system_fingerprint": f"fp{number_of(body) // 2}"}).encode())

    with serving(moving) as server, remote(server.url, tmp_path / "a.jsonl", in_flight=1) as asked:
        found = evaluate(asked, numbered(2), media, variant="direct")
        assert found.settings["fingerprint"] == {"model": "m", "system_fingerprint": "fp0"}
        with pytest.raises(WorkError, match=r"system_fingerprint was 'fp0' and is 'fp1'.*another --out"):
            evaluate(asked, numbered(3), media, variant="direct")


def test_a_budget_is_never_exceeded_and_what_it_leaves_out_makes_the_result_partial(tmp_path: Path) -> None:
    with serving(lambda body, before: Sent("2, 1")) as server:
        # A reply costs 10 + 5; its dearest case is the cap of 100 and twice the estimate of its prompt.
        for limit in (500.0, 500.0, 1e9):
            purse = Purse(limit)
            with remote(server.url, tmp_path / "a.jsonl", purse=purse, price=(1e6, 1e6), in_flight=4) as asked:
                found = evaluate(asked, numbered(40), media, variant="direct", max_tokens=100)
            assert purse.spent == pytest.approx(15 * len(found)) and purse.spent <= limit
            assert ("the budget ended" in found.settings.get("partial", "")) == (len(found) < 40) == (limit < 1e9)
        assert len(server.bodies) == 40
        with remote(server.url, tmp_path / "b.jsonl", purse=Purse(700.0), price=(1e6, 1e6), in_flight=1) as asked:
            found = ask("m", numbered(30), media, variants=["direct", "tagged"], probes=["blind"], speaker=asked)
            # The first prompt is asked as far as the money goes; nothing is left for the second and the probe.
            assert list(found) == ["direct"] and 0 < len(found["direct"]) < 30
            with pytest.raises(OutOfBudget, match="the budget pays for none"):
                evaluate(asked, numbered(2), media, variant="tagged")
    with pytest.raises(RequestError, match="--budget needs the price"):
        remote("http://a/v1", tmp_path / "c.jsonl", purse=Purse(1.0))


def test_stored_replies_are_scored_and_a_missing_one_failed(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"id": "mvp-001", "reply": "2, 1"}\n', encoding="utf-8")
    found = evaluate(Stored(tmp_path / "r.jsonl"), [sample(0), sample(1)], media, variant="stored")
    assert [(row.outcome, row.number("exact")) for row in found.rows] == [("failed", 0.0), ("ok", 1.0)]
    assert "1 of 2 questions failed (r.jsonl has no reply to it)" in found.settings["partial"]
    with pytest.raises(RequestError, match=r"no reply to any of 1 questions \(the first is mvp-000\)"):
        evaluate(Stored(tmp_path / "r.jsonl"), [sample(0)], media, variant="stored")


def test_stored_replies_under_probes_stand_in_a_column(tmp_path: Path) -> None:
    lines = [
        ("mvp-000", "2, 1", ""),
        ("mvp-001", "2, 1", ""),
        ("mvp-000", "1, 2", "blind"),
        ("mvp-001", "2, 1", "blind"),
    ]
    text = "".join(json.dumps({"id": key, "reply": reply, "probe": probe}) + "\n" for key, reply, probe in lines)
    (tmp_path / "r.jsonl").write_text(text, encoding="utf-8")
    samples, said = [sample(0), sample(1)], Stored(tmp_path / "r.jsonl")
    found = ask("replies:r", samples, media, variants=["stored"], probes=["blind"], speaker=said)
    assert [row.number("exact") for row in found["stored"].rows] == [1.0, 1.0]
    assert [row.number("exact") for row in found["stored-blind"].rows] == [0.0, 1.0]
    with pytest.raises(RequestError, match="no replies under the probe reversed"):
        ask("replies:r", samples, media, variants=["stored"], probes=["reversed"], speaker=said)


def test_probes_of_an_endpoint_are_kept_and_resumed_like_plain_questions(tmp_path: Path) -> None:
    plain = [replace(one, messages=one.messages[-1:] + one.messages[:-1]) for one in numbered(3)]
    probes = ["blind", "reversed", "single_frame"]
    with serving(lambda body, before: Sent("2, 1")) as server:
        for _ in range(2):
            with remote(server.url, tmp_path / "asked.jsonl") as asked:
                found = ask("m", plain, media, variants=["direct"], probes=probes, speaker=asked)
            assert set(found) == {"direct", *(f"direct-{probe}" for probe in probes)}
            # Each of four times three questions is paid once.
            assert len(server.bodies) == 12


def test_a_model_that_sees_text_alone_is_shown_no_picture(tmp_path: Path) -> None:
    with (
        serving(lambda body, before: Sent("2, 1")) as server,
        remote(server.url, tmp_path / "asked.jsonl") as asked,
    ):
        found = ask("m", numbered(2), media, variants=["direct"], probes=["text_only"], speaker=asked, plain=False)
        assert list(found) == ["direct-text_only"] and len(server.bodies) == 2
        assert not any("image_url" in json.dumps(body) for body in server.bodies)


def test_a_prompt_is_estimated_by_its_letters_and_pixels() -> None:
    clip = Clip(video="full:00", spec=SPEC, times=(0.0, 1.0, 2.0))
    image = Image(video="full:00", spec=replace(SPEC, size=(28, 56)), time=0.0)
    # 8 letters are 2; three frames of one patch and 8 more each, 27; one of two patches, 10.
    assert prompt_tokens([Message("user", (Text("12345678"), clip, image))]) == 2 + 27 + 10


def test_a_purse_sets_the_dearest_case_aside_and_waits_for_what_is_under_way() -> None:
    purse = Purse(10.0)
    assert purse.set_aside(6.0)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(purse.set_aside, 6.0)
        time.sleep(0.05)
        assert not waiting.done()
        purse.settle(6.0, 3.0)
        assert waiting.result(60)
    purse.settle(6.0, 2.0)
    assert purse.spent == 5.0
    assert not purse.set_aside(6.0)  # Nothing is under way that could leave more.
    assert not purse.set_aside(1.0) and purse.empty


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("id,reply\na,x\na,y\n", "row 2: a second reply to a"),
        ("id,text\na,x\n", "row 1: it needs the columns id and reply"),
        ("id,reply\na\n", "row 1: has 1 columns"),
    ],
)
def test_a_bad_file_of_replies_is_refused_by_row(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=reason):
        Stored(tmp_path / "r.csv")


def test_a_frame_budget_takes_one_frame_of_each_equal_part_in_order(tmp_path: Path) -> None:
    clip = Clip(
        video="full:00", spec=SPEC, times=tuple(map(float, range(10))), shown_seconds=tuple(np.arange(10) + 0.5)
    )
    long = replace(sample(0), messages=(Message("user", (clip, Text("?"))),))
    (cut,) = budgeted([long], 4, seed=3)
    thin = cut.messages[0].parts[0]
    assert isinstance(thin, Clip) and thin.shown_seconds == tuple(time + 0.5 for time in thin.times)
    # Of 10 frames in 4 parts: [0, 2), [2, 5), [5, 7), [7, 10).
    limits = [(0, 2), (2, 5), (5, 7), (7, 10)]
    assert all(low <= time < high for time, (low, high) in zip(thin.times, limits, strict=True))
    assert budgeted([long], 4, seed=3) == [cut] and budgeted([long], 10) == [long]
    assert len({budgeted([long], 4, seed=seed)[0].messages for seed in range(20)}) > 1


def test_names_of_endpoints_are_read_with_their_own_keys_and_prices(tmp_path: Path) -> None:
    manners = Manners(folder=tmp_path, key_env=("b=KEY_B", "KEY"), price={"": (1.0, 2.0), "org/b@x": (3.0, 4.0)})
    one = endpoint_of("openai:org/b@x@http://localhost:1/v1", manners)
    assert (one.model, one.url, one.key_env, one.price) == ("org/b@x", "http://localhost:1/v1", "KEY", (3.0, 4.0))
    assert endpoint_of("openai:b@https://h/v1", manners).key_env == "KEY_B"
    with pytest.raises(RequestError, match="openai:NAME@URL"):
        speaker("openai:b", manners)
    assert prompts("auto", "openai:b@http://h") == ["direct"] and prompts("auto", "replies:a.csv") == ["stored"]
