"""The one scorer behind every reward module: a reply and what its sample carries, to a score."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from reelgym import tasks
from reelgym.data.sample import Sample
from reelgym.scoring import Score


def score(reply: str, carried: str) -> Score:
    """Return what a reply is worth by the sample's own task; a wrong or unreadable one is worth 0 and raises nothing.

    Args:
        reply: What the policy wrote.
        carried: The text that the export put beside the prompt (`prompts.carried`).

    Raises:
        ValueError: `carried` was not written by an export: a broken reward is an error, never a 0.
    """
    sample = _sample(carried)
    return tasks.get(sample.task).score(reply, sample)


def text_of(completion: Any) -> str:
    """Return the text of a completion: text, a message, or a list of messages, the last of which counts."""
    if isinstance(completion, list | tuple):
        completion = completion[-1]
    content = completion["content"] if isinstance(completion, dict) else completion
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content)


@lru_cache(maxsize=4096)
def _sample(carried: str) -> Sample:
    told = json.loads(carried)
    if not isinstance(told, dict) or not {"id", "task", "answer", "evidence"} <= set(told):
        raise ValueError("this is not what `reelgym export` wrote beside the prompt: name that column")
    return Sample(
        id=told["id"], task=told["task"], messages=(), answer=told["answer"], split="train", evidence=told["evidence"]
    )
