"""What an evaluation would ask and cost, before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reelgym.data import templates
from reelgym.data.sample import Sample
from reelgym.evaluation.speakers import prompt_tokens
from reelgym.rollout.chat import Endpoint

REPLY_TOKENS = {"direct": (5, 40, 0), "tagged": (80, 300, 0)}
"""Low and likely tokens of a reply under each prompt; 0 stands for the cap, the high case. Ours."""

REPLY_SECONDS = (1.0, 5.0, 30.0)
"""Low, likely and high seconds of one request. Ours; endpoints differ more than anything else here."""


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
    requests = len(samples) * len(asked)
    read = sum(prompt_tokens(templates.with_instruction(one.messages, variant)) for one in samples for variant in asked)
    found: dict[str, Any] = {"requests": requests, "prompt_tokens": [], "completion_tokens": [], "money": []}
    found["seconds"] = [round(requests * each / min(endpoint.in_flight, requests), 1) for each in REPLY_SECONDS]
    for place, share in enumerate((0.7, 1.0, 2.0)):
        each = [REPLY_TOKENS.get(variant, REPLY_TOKENS["tagged"])[place] or max_tokens for variant in asked]
        written = len(samples) * sum(min(one, max_tokens) for one in each)
        found["prompt_tokens"].append(round(share * read))
        found["completion_tokens"].append(written)
        found["money"].append(round(endpoint.cost(round(share * read), written), 4) if endpoint.price else None)
    return found
