"""Prompts that show the same media share what they begin with: the same replies from less work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from sharp_policies import SPEC, media, sharp

from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.trajectory import Turn
from reelgym.models.base import Policy, Prompt
from reelgym.rollout.local import LocalSampler, SamplingParams
from reelgym.rollout.sharing import prefixes
from reelgym.rollout.streams import Streams

WORDS = ("what happens next", "who is it", "which of these comes first of all", "why", "where is the ball now")


def clip(video: str, shift: float = 0.0) -> Clip:
    return Clip(video=video, spec=SPEC, times=tuple(shift + time for time in (0.0, 0.5, 1.0, 1.5)))


def message(*parts: Text | Clip | Image) -> tuple[Message, ...]:
    return (Message("user", parts),)


def asked() -> list[tuple[Message, ...]]:
    """Return questions about three videos by turns, one put before its clip, one about nothing, one of a kind."""
    found = [message(clip(video), Text(words)) for words in WORDS for video in "ab"]
    found += [message(clip("c"), Image(video="d", spec=SPEC, time=1.0), Text(words)) for words in WORDS[:3]]
    return [*found, message(Text("First think. "), clip("a"), Text("why")), message(Text("why")), message(clip("e"))]


def early(policy: Policy) -> Policy:
    """Return the policy with more end ids, so that rows leave at different steps."""
    other = replace(policy)
    other.__dict__["eos_ids"] = policy.eos_ids | set(range(30, 830, 20))
    return other


def reply(policy: Policy, prompts: Sequence[Prompt], *, share: bool, n: int = 1, heat: float = 0.0) -> list[list[Turn]]:
    streams = Streams(1, 2, [str(place) for place in range(len(prompts))]) if heat else None
    sampler = LocalSampler(policy, share_prefixes=share, max_rows=12)
    return sampler.sample(prompts, n=n, params=SamplingParams(max_tokens=16, temperature=heat), streams=streams)


def margin(policy: Policy, prompt: Prompt, written: Sequence[int]) -> float:
    """Return how far apart the two likeliest next logits are, from one forward pass without any cache."""
    ids = torch.cat([prompt.ids, torch.tensor(written, dtype=torch.int64)])[None]
    after = (prompt.next_position + torch.arange(len(written))).expand(3, -1)
    positions = torch.cat([prompt.positions, after], 1)[:, None]
    with torch.no_grad():
        hidden = policy.hidden(ids, positions, features=policy.features([prompt])).last_hidden_state[0, -1]
        logits = policy.logits(hidden).index_fill_(-1, policy.forbidden_ids, -torch.inf)
    first, second = logits.topk(2).values.tolist()
    return float(first - second)


def test_greedy_replies_are_those_of_prompts_read_alone_wherever_the_margin_is_above_one_in_ten_thousand(
    policy: Policy,
) -> None:
    model = early(policy)
    prompts = model.encode_all(asked(), media)
    together = reply(model, prompts, share=True)
    assert len({len(turn.ids) for (turn,) in together}) > 3
    for prompt, (shared,) in zip(prompts, together, strict=True):
        ((alone,),) = reply(model, [prompt], share=False)
        parted = next((i for i, (a, b) in enumerate(zip(shared.ids, alone.ids, strict=False)) if a != b), None)
        if parted is None:
            assert len(shared.ids) == len(alone.ids)
            np.testing.assert_allclose(shared.logprobs, alone.logprobs, atol=1e-4, rtol=0)
        else:
            assert margin(model, prompt, shared.ids[:parted].tolist()) <= 1e-4


def test_in_float64_sharing_changes_no_token_of_any_member(policy: Policy) -> None:
    double = early(sharp(policy.family.name))
    double.model.double()
    prompts = double.encode_all(asked(), media)
    shared, plain = (reply(double, prompts, share=share, n=3, heat=1.0) for share in (True, False))
    assert [[turn.ids.tolist() for turn in group] for group in shared] == [
        [turn.ids.tolist() for turn in group] for group in plain
    ]


def test_the_tower_sees_a_video_once_for_all_its_questions(qwen: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    tower = type(qwen).features

    def counting(policy: Policy, given: Sequence[Prompt]) -> object:
        seen.extend(sum(len(patches) for patches in prompt.patches.values()) for prompt in given)
        return tower(policy, given)

    monkeypatch.setattr(type(qwen), "features", counting)
    prompts = qwen.encode_all([message(clip(video), Text(words)) for words in WORDS for video in "ab"], media)
    reply(qwen, prompts, share=True)
    # Two clips of 4 frames of 56 x 56: 2 temporal steps of 4 x 4 patches.
    assert seen == [32, 32]


def test_what_is_shared_holds_every_placeholder_and_leaves_each_prompt_a_token(policy: Policy) -> None:
    prompts = policy.encode_all([*asked(), asked()[0]], media)
    placeholders = torch.tensor(list(policy.placeholder_ids.values()))
    found = prefixes(prompts, placeholders)
    assert sorted(place for prefix in found for place in prefix.places) == list(range(len(prompts)))
    shared = [prefix for prefix in found if prefix.tokens]
    assert sorted(len(prefix.places) for prefix in shared) == [3, 5, 6]
    for prefix in shared:
        heads = {tuple(prompts[place].ids[: prefix.tokens].tolist()) for place in prefix.places}
        assert len(heads) == 1
        for place in prefix.places:
            assert not torch.isin(prompts[place].ids[prefix.tokens :], placeholders).any()
            assert len(prompts[place]) > prefix.tokens
    assert found[-1].tokens == 0
    largest = max(shared, key=lambda prefix: len(prefix.places))
    assert [part.places for part in largest.cut(4)] == [largest.places[:4], largest.places[4:]]


def test_a_clip_told_with_other_times_is_not_shared(policy: Policy) -> None:
    slow = replace(clip("a"), shown_seconds=(0.0, 4.0, 8.0, 12.0))
    prompts = policy.encode_all([message(one, Text("why")) for one in (clip("a"), slow, clip("a", 1.0))], media)
    found = prefixes(prompts, torch.tensor(list(policy.placeholder_ids.values())))
    assert [prefix.tokens for prefix in found] == [0, 0, 0]


def test_many_prompts_are_encoded_as_each_alone_and_every_part_is_read_once(policy: Policy) -> None:
    read: list[Image | Clip] = []

    def counting(part: Image | Clip) -> np.ndarray:
        read.append(part)
        return media(part)

    together = policy.encode_all(asked(), counting)
    assert len(read) == len(set(read)) == 5
    for messages, prompt in zip(asked(), together, strict=True):
        alone = policy.encode(messages, media)
        assert torch.equal(alone.ids, prompt.ids) and torch.equal(alone.positions, prompt.positions)
        assert alone.names == prompt.names and alone.next_position == prompt.next_position
        assert all(torch.equal(alone.patches[kind], prompt.patches[kind]) for kind in alone.patches)
    assert together[0].patches["video"] is together[2].patches["video"]
