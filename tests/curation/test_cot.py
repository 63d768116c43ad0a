"""Chains of thought from end to end against a real HTTP server that answers from the world's facts, with faults."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chain_world import FAULTS, KEPT, Asked, Teller, dataset, questions
from chat_server import Said, Server, serving

from reelgym import world
from reelgym.curation.cot import ChainWriter, CotConfig
from reelgym.curation.cot_run import Made, estimate, write_chains
from reelgym.data.dataset import Dataset, read_dataset
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError, WorkError
from reelgym.recipes.videop2r import videop2r_sft
from reelgym.rewards import Format
from reelgym.rollout.chat import Chat, Endpoint
from reelgym.video import Store


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    world.make(folder, count=6, seconds=(6.0, 7.0), side=56, kinds=["moving", "cups"], workers=1)
    return folder


@pytest.fixture(scope="module")
def asked(scenes: Path) -> list[Asked]:
    return questions(scenes)


@pytest.fixture(scope="module")
def ground(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return dataset(scenes, tmp_path_factory.mktemp("ground") / "asked")


def write(ground: Dataset, out: Path, url: str, **settings: Any) -> Made:
    endpoint = Endpoint(url=url, model="teller", timeout_seconds=5.0, backoff_seconds=0.05, price=(1.0, 2.0))
    media = ground.media(Store(out.parent / "frames"))
    return write_chains(ground, ground.samples, out, endpoint=endpoint, config=CotConfig(**settings), pixels=media)


def scene(text: str) -> int:
    found = re.search(r"Scene (\d{3})\.", text)
    assert found
    return int(found[1])


def kept_scenes(out: Path) -> list[int]:
    return [scene(str(sample.messages)) for sample in read_dataset(out).samples]


def right_scenes(asked: list[Asked]) -> list[int]:
    return [n for n, one in enumerate(asked) if one.fault in KEPT]


REASONS = {
    "wrong answer": ("verify", "wrong answer"),
    "broken tags": ("verify", "template"),
    "in words": ("verify", "unreadable answer"),
    "cut off": ("generate", "cut off"),
    "no UTF-8": ("generate", "not UTF-8"),
    "refusal": ("generate", "refusal"),
    "empty": ("generate", "empty"),
    "states the answer": ("leak", "states the answer"),
    "insufficient": ("sufficiency", "insufficient"),
    "not blind": ("blind", "insufficient"),
    "no verdict": ("sufficiency", "no verdict"),
    "never ends": ("sufficiency", "no verdict"),
}


def test_exactly_the_right_chains_are_kept_and_every_reject_says_why(
    ground: Dataset, asked: list[Asked], tmp_path: Path
) -> None:
    out = tmp_path / "chains"
    with serving(Teller(asked)) as server:
        made = write(ground, out, server.url)
        came = len(server.bodies)
        again = write(ground, out, server.url)
        assert (again.fresh, len(server.bodies)) == (False, came)
    assert kept_scenes(out) == right_scenes(asked)
    rows = [json.loads(line) for line in (out / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == [sample.id for sample in ground.samples]
    for one, row in zip(asked, rows, strict=True):
        last = row["checks"][-1]
        assert (last["step"], last["kind"]) == REASONS.get(one.fault, ("blind", "kept")), one
    rejects = (out / "rejects.md").read_text(encoding="utf-8")
    assert rejects.count("\n## ") == len(asked) - made.counts["kept"]
    assert "verify: template. " in rejects
    for sample in read_dataset(out).samples:
        assert sample.evidence["gold"].startswith("<observation>In scene")
        assert sample.provenance["cot"]["model"] == "teller"
    # Every reply that came is counted once: 10 tokens read and 5 written each, at 1 and 2 per million.
    step = made.steps["generate"]
    replies = sum(1 for one in asked if one.fault != "no UTF-8")
    assert (step["seen"], step["prompt_tokens"]) == (len(asked), 10 * len(asked))
    assert replies < len(asked)
    assert step["money"] == pytest.approx((10 * 1.0 + 5 * 2.0) * len(asked) / 1e6)
    assert made.counts["samples"] == len(asked) == sum(n for name, n in made.counts.items() if name != "samples")


def test_checks_beyond_the_paper_can_be_left_out_and_a_fallback_declared(
    ground: Dataset, asked: list[Asked], tmp_path: Path
) -> None:
    out = tmp_path / "chains"
    with serving(Teller(asked)) as server:
        write(ground, out, server.url, leaks=False, blind=False, fallback="text-match")
        # The fallback finds the option's words in the observation.
        more = (*KEPT, "states the answer", "not blind", "no verdict", "never ends")
        assert kept_scenes(out) == [n for n, one in enumerate(asked) if one.fault in more]
        with pytest.raises(RequestError, match=r"begun with other settings \(blind: False then, True now"):
            write(ground, out, server.url, leaks=False, fallback="text-match")


def test_what_has_no_reply_yet_ends_the_run_and_is_asked_for_when_it_is_repeated(
    ground: Dataset, asked: list[Asked], tmp_path: Path
) -> None:
    teller, broken = Teller(asked), [True]

    def answer(body: dict[str, Any], before: int) -> Said:
        said = teller(body, before)
        return Said(status=503) if broken[0] and "Scene 001." in str(body) else said

    out = tmp_path / "chains"
    with serving(answer) as server:
        with pytest.raises(WorkError, match=r"1 of \d+ samples have no reply yet \(status 503"):
            write(ground, out, server.url)
        assert not (out / "dataset.json").exists()
        broken[0] = False
        before = dict(server.paid)
        write(ground, out, server.url)
        assert all(server.paid[key] == count for key, count in before.items())
    assert kept_scenes(out) == right_scenes(asked)


COMMAND = """
import sys
from reelgym.cli import main
sys.argv[1:] = sys.argv[1:]
main()
"""


def start(ground: Dataset, out: Path, server: Server, repository: Path) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    arguments = ["cot", str(ground.path), "--endpoint", server.url, "--model", "teller", "--out", str(out)]
    arguments += ["--in-flight", "3", "--timeout", "5", "--json"]
    variables = os.environ | {"PYTHONPATH": str(repository / "src"), "REELGYM_CACHE": str(out.parent / "cache")}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("number", "kills"), [(signal.SIGKILL, (2, 30)), (signal.SIGTERM, (12,))])
def test_killed_and_repeated_it_pays_no_request_twice_and_loses_and_doubles_no_row(
    number: int, kills: tuple[int, ...], ground: Dataset, asked: list[Asked], tmp_path: Path, repository: Path
) -> None:
    out, left = tmp_path / "chains", list(kills)
    running: list[subprocess.Popen[str]] = []

    def kill(count: int) -> None:
        if left and count >= left[0]:
            left.pop(0)
            running[-1].send_signal(number)

    with serving(Teller(asked)) as server:
        server.on_reply = kill
        for _ in range(len(kills) + 1):
            running.append(start(ground, out, server, repository))
            told = running[-1].communicate(timeout=500)
        assert [one.returncode for one in running[:-1]] == [-9 if number == signal.SIGKILL else 143] * len(kills)
        assert running[-1].returncode == 0, told
        assert left == []
        assert set(server.paid.values()) == {1}
        twice = sum(server.came.values()) - len(server.came)
        faults = sum(one.fault in ("busy", "broken server", "slow", "garbled status") for one in asked)
        # Only what was in flight when it was killed is sent again, under the same key; a polite end waits for it.
        in_doubt = 3 * len(kills) if number == signal.SIGKILL else 0
        assert twice <= faults + in_doubt
    assert kept_scenes(out) == right_scenes(asked)
    assert len((out / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()) == len(asked)


def test_an_estimate_asks_nothing_and_grows_with_the_price(ground: Dataset) -> None:
    endpoint = Endpoint(url="http://127.0.0.1:9/v1", model="m", price=(1.0, 2.0))
    found = estimate(ground.samples, endpoint=endpoint)
    count = len(ground.samples)
    # At most the chain and two judges for each sample.
    assert found["requests"][2] == 3 * count
    low, likely, high = found["money"]
    assert 0 < low < likely < high
    assert high == pytest.approx((found["prompt_tokens"][2] + 2 * found["completion_tokens"][2]) / 1e6, rel=1e-3)


def test_kept_chains_are_examples_of_the_recipe(ground: Dataset, asked: list[Asked], tmp_path: Path) -> None:
    out = tmp_path / "chains"
    with serving(Teller([*asked])) as server:
        write(ground, out, server.url, variant="tagged", blind=False)
    run = videop2r_sft(data=str(out))
    first, plain = run.data.items[0], videop2r_sft(data=str(out), observations=False).data.items[0]
    assert first.reply == read_dataset(out).samples[0].evidence["gold"]
    assert "Reply in this form: <observation>" in str(first.messages)
    assert plain.reply == first.reply[first.reply.index("<think>") :]
    # Nobody is asked for what the reply does not hold.
    assert "observation" not in str(plain.messages) and Format("reasoned").valid(plain.reply)
    assert run.data.media(first.messages[0].parts[0]).shape == (2, 28, 28, 3)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"variant": "direct"}, "unknown prompt of a chain of thought 'direct'"),
        ({"variant": "reasoned"}, "unknown prompt of a chain of thought 'reasoned'"),
        ({"fallback": "text"}, "did you mean 'text-match'"),
        ({"threshold": 1.5}, r"threshold in \[0, 1\]"),
    ],
)
def test_wrong_settings_are_told_in_one_line(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        CotConfig(**settings)


@pytest.mark.parametrize(("words", "kind"), [("a b c x y", "kept"), ("a b x y z", "wrong answer")])
def test_an_answer_that_scores_the_threshold_itself_is_kept(words: str, kind: str) -> None:
    # Of five words two are wrong: 1 - 2/5 = 0.6; of five three: 0.4.
    sign = Sample(
        id="sign",
        task="labelled",
        messages=(Message("user", (Text("What does the sign say?"),)),),
        answer="a b c d e",
        split="train",
        evidence={"kind": "ocr"},
    )
    reply = f"<observation>A sign.</observation><think>So.</think><answer>{words}</answer>"
    with serving(lambda body, before: Said(reply)) as server:
        chat = Chat(Endpoint(url=server.url, model="m"))
        chain = ChainWriter(chat, chat, CotConfig(sufficiency=False, blind=False)).one(sign)
    assert [check.kind for check in chain.checks[:2]] == ["kept", kind]


def test_every_fault_of_the_server_is_tried(asked: list[Asked]) -> None:
    assert {one.fault for one in asked} == set(FAULTS)
    assert set(REASONS) | set(KEPT) == set(FAULTS)
