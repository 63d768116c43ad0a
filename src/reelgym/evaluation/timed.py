"""What asking a model on this machine would take, from a few questions that it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reelgym.data.sample import Sample
from reelgym.evaluation.ask import ask
from reelgym.tasks.base import MediaReader

TIMED = 4
"""Questions that are asked under every prompt. Ours."""


def estimate_local(
    model: str, samples: Sequence[Sample], media: MediaReader, *, variants: Sequence[str], probes: int, max_tokens: int
) -> dict[str, Any]:
    """Return requests, tokens, seconds and memory of an evaluation; each figure is [low, likely, high].

    The least, mean and most of what `TIMED` evenly spread questions took, as many times as there are questions; before
    them a short reply is asked for, so that what is set up once is no part of it. A probe counts as the first prompt.

    Args:
        model: As `models.load` takes it.
        samples: What would be asked.
        media: Turns images and clips into pixels.
        variants: Prompts; probes are asked under one of them.
        probes: How many.
        max_tokens: Cap of a reply.
    """
    import torch

    from reelgym.evaluation.local import Local

    count = min(TIMED, len(samples))
    chosen = [samples[place * len(samples) // count] for place in range(count)]
    with Local.load(model, media) as own:
        ask(model, chosen[:1], media, variants=variants[:1], max_tokens=min(4, max_tokens), speaker=own)
        found = ask(model, chosen, media, variants=variants, max_tokens=max_tokens, speaker=own)
    sums: dict[str, list[float]] = {"prompt_tokens": [0.0] * 3, "tokens": [0.0] * 3, "seconds": [0.0] * 3}
    for variant in [*variants, *[variants[0]] * probes]:
        for name, whole in sums.items():
            each = [float(getattr(row, name)) for row in found[variant].rows]
            for place, one in enumerate((min(each), sum(each) / count, max(each))):
                whole[place] += one * len(samples)
    return {
        "requests": len(samples) * (len(variants) + probes),
        "prompt_tokens": [round(one) for one in sums["prompt_tokens"]],
        "completion_tokens": [round(one) for one in sums["tokens"]],
        "money": [None] * 3,
        "seconds": [round(one, 1) for one in sums["seconds"]],
        "timed": count,
        "memory_bytes": torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
    }
