"""Pass rates of a policy: hand-counted, independent of what else is asked, resumed without asking twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reelgym.curation import difficulty as measuring
from reelgym.data import difficulty as stored
from reelgym.data.difficulty import About, Difficulty
from reelgym.data.messages import Message, Text
from reelgym.data.sample import Sample
from reelgym.errors import RequestError
from reelgym.models import tiny

ABOUT = About(
    model="m", fingerprint="f", dataset="d", rollouts=4, threshold=1.0, variant="direct", temperature=1.0,
    max_tokens=8, seed=0,
)  # fmt: skip


def puzzle(index: int) -> Sample:
    return Sample(
        id=f"s{index}",
        task="mvp",
        messages=(Message("user", (Text("?"),)),),
        answer=[2, 1],
        split="train",
        evidence={"pool": 3},
        provenance={"source": f"v{index}"},
    )


class Says:
    """A sampler and policy in one that gives out replies by sample."""

    def __init__(self, replies: list[str]) -> None:
        self.replies, self.asked = replies, 0

    def encode(self, messages: Any, media: Any) -> Any:
        return messages

    def sample(self, prompts: Sequence[Any], **how: Any) -> list[list[Any]]:
        self.asked += len(prompts)
        return [[type("Turn", (), {"text": text}) for text in self.replies] for _ in prompts]


def no_media(part: Any) -> Any:
    raise AssertionError("these prompts show nothing")


def test_a_pass_rate_is_the_share_of_replies_at_the_threshold() -> None:
    # Right; right frames in the wrong order; no answer; right again: 2 of 4 pass exactly.
    says = Says(["2, 1", "1, 2", "none", "<answer>2, 1</answer>"])
    rows: list[Difficulty] = []
    measuring.measure(says, [puzzle(0)], no_media, about=ABOUT, sampler=says, found=rows.extend)  # type: ignore[arg-type]
    assert (rows[0].passed, rows[0].rollouts, rows[0].pass_rate) == (2, 4, 0.5)
    assert 0.5 < rows[0].mean_reward < 0.75
    rows.clear()
    easier = replace(ABOUT, threshold=0.2)
    measuring.measure(says, [puzzle(0)], no_media, about=easier, sampler=says, found=rows.extend)  # type: ignore[arg-type]
    assert rows[0].passed == 3


def test_a_killed_measurement_asks_only_what_is_left_and_ends_the_same(tmp_path: Path) -> None:
    samples = [puzzle(n) for n in range(5)]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()

    def ask(limit: int) -> Callable[..., None]:
        def one_by_one(missing: Sequence[Sample], found: Callable[[list[Difficulty]], None]) -> None:
            for place, sample in enumerate(missing):
                if place == limit:
                    raise KeyboardInterrupt
                found([Difficulty(id=sample.id, rollouts=4, passed=int(sample.id[1:]) % 5, mean_reward=0.5)])

        return one_by_one

    measuring.store(whole, "m", samples, about=ABOUT, ask=ask(99))
    with pytest.raises(KeyboardInterrupt):
        measuring.store(broken, "m", samples, about=ABOUT, ask=ask(2))
    assert stored.names(broken) == []
    calls: list[tuple[int, int]] = []
    measuring.store(broken, "m", samples, about=ABOUT, ask=ask(3), progress=lambda *at: calls.append(at))
    assert calls == [(3, 5), (4, 5), (5, 5)]
    names = [path.name for path in broken.iterdir()]
    assert names == ["difficulty-m.parquet"]
    assert (broken / names[0]).read_bytes() == (whole / names[0]).read_bytes()

    def never(*_: Any) -> None:
        raise AssertionError("everything is measured")

    assert len(measuring.store(broken, "m", samples[:2], about=ABOUT, ask=never).rows) == 5
    with pytest.raises(
        RequestError, match=r"difficulty-m.parquet was measured with other settings \(fingerprint: 'f' then, 'g' now\)"
    ):
        measuring.store(broken, "m", samples, about=replace(ABOUT, fingerprint="g"), ask=never)


def test_a_band_keeps_what_lies_in_it_and_leaves_out_what_was_not_measured() -> None:
    rates = {"a": 0.0, "b": 0.1, "c": 0.5, "d": 0.9, "e": 1.0}
    assert measuring.within(rates, (0.1, 0.9), [*"abcdef"]) == [1, 2, 3]
    with pytest.raises(RequestError, match=r"pass rate from 0.6 to 0.8 \(5 of 6 are measured\)"):
        measuring.within(rates, (0.6, 0.8), [*"abcdef"])


def test_the_fingerprint_follows_the_weights() -> None:
    size = tiny.Size(
        width=32, layers=1, heads=2, key_value_heads=1, mlp=48, vision_width=32, vision_layers=1, vision_mlp=48
    )
    policy = tiny.build("qwen2_5_vl", seed=0, size=size)
    before = measuring.fingerprint(policy)
    assert before == measuring.fingerprint(tiny.build("qwen2_5_vl", seed=0, size=size))
    with torch.no_grad():
        next(iter(policy.model.parameters())).mul_(1.001)
    assert measuring.fingerprint(policy) != before
