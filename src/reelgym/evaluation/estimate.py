"""What an evaluation would ask and cost, models and judge apart, before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reelgym.data import templates
from reelgym.data.sample import Sample
from reelgym.evaluation.judged import is_judged
from reelgym.evaluation.purse import LETTERS_PER_TOKEN, prompt_tokens
from reelgym.judges.endpoint import question_of
from reelgym.rollout.chat import Endpoint

REPLY_TOKENS = {"direct": (5, 40, 0), "tagged": (80, 300, 0)}
"""Low and likely tokens of a reply under each prompt; 0 stands for the cap, the high case. Ours."""

REPLY_SECONDS = (1.0, 5.0, 30.0)
"""Low, likely and high seconds of one request. Ours; endpoints differ more than anything else here."""

JUDGE_READS, JUDGE_WRITES = 200, (20, 80, 512)
"""Tokens that an answer's judge reads beside question and reply, and writes: low, likely, the cap. Ours."""

STEPS_READ, STEPS_WRITTEN = 500, (60, 250, 2048)
"""The same of either request about the steps of a reply."""

SHARES = (0.7, 1.0, 2.0)
"""Of the estimated tokens read in the low, likely and high case: tokenizers differ. Ours."""


def estimate(
    endpoint: Endpoint, samples: Sequence[Sample], *, variants: Sequence[str], probes: int, max_tokens: int
) -> dict[str, Any]:
    """Return requests, tokens, money and seconds of asking an endpoint; each figure is [low, likely, high].

    Args:
        endpoint: Who would be asked, with its price.
        samples: What.
        variants: Prompts; probes are asked under one of them.
        probes: How many.
        max_tokens: Cap of a reply.
    """
    asked = [*variants, *[variants[0]] * probes]
    read = sum(prompt_tokens(templates.with_instruction(one.messages, variant)) for one in samples for variant in asked)
    written = [len(samples) * sum(_reply(variant, place, max_tokens) for variant in asked) for place in range(3)]
    return _told(endpoint, len(samples) * len(asked), [round(share * read) for share in SHARES], written)


def estimate_judge(
    endpoint: Endpoint, samples: Sequence[Sample], *, asked: Sequence[str], steps: bool, max_tokens: int
) -> dict[str, Any]:
    """Return the same of a judge that decides on every reply of some evaluations that rules cannot decide.

    Args:
        endpoint: The judge, with its price.
        samples: What was asked.
        asked: The prompt of each evaluation, those under probes among them.
        steps: Whether it judges steps too.
        max_tokens: Cap of a reply.
    """
    requests, read, written = 0, [0.0] * 3, [0] * 3
    for variant in asked:
        free = [sample for sample in samples if is_judged(sample)]
        chained = [sample for sample in samples if steps and variant != "direct" and sample.evidence.get("facts")]
        for held, times, reads, writes in (
            (free, 1, JUDGE_READS, JUDGE_WRITES),
            (chained, 2, STEPS_READ, STEPS_WRITTEN),
        ):
            requests += times * len(held)
            text = sum(len(question_of(sample)) for sample in held) / LETTERS_PER_TOKEN
            for place, share in enumerate(SHARES):
                reply = _reply(variant, place, max_tokens)
                read[place] += times * (share * text + len(held) * (reads + reply))
                written[place] += times * len(held) * writes[place]
    return _told(endpoint, requests, [round(one) for one in read], written)


def _reply(variant: str, place: int, max_tokens: int) -> int:
    """Return the tokens of a reply in the low, likely or high case."""
    return min(REPLY_TOKENS.get(variant, REPLY_TOKENS["tagged"])[place] or max_tokens, max_tokens)


def _told(endpoint: Endpoint, requests: int, read: list[int], written: list[int]) -> dict[str, Any]:
    at_a_time = max(1, min(endpoint.in_flight, requests))
    money = [round(endpoint.cost(*tokens), 4) if endpoint.price else None for tokens in zip(read, written, strict=True)]
    return {
        "requests": requests,
        "prompt_tokens": read,
        "completion_tokens": written,
        "money": money,
        "seconds": [round(requests * each / at_a_time, 1) for each in REPLY_SECONDS],
    }
