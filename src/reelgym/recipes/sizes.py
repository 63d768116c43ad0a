"""The sizes of recipes: which settings suit which model, told by its config or its name before anything is loaded.

Only the model decides, so that a run that is taken up on another machine is the same run; whether it fits into the
memory that is free is told beside it (`training.estimate`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from reelgym.errors import RequestError, unknown

Size = Literal["auto", "tiny", "3b-24gb", "7b-80gb", "paper"]

RANGES = {"tiny": (0.0, 0.1), "3b-24gb": (0.1, 4.5), "7b-80gb": (4.5, 10.0), "paper": (0.1, 10.0)}
"""Billions of parameters that a size is made for, the upper limit not among them. Ours."""

BY_MODEL = ("tiny", "3b-24gb", "7b-80gb")
"""What `auto` chooses from; `paper` has to be asked for."""

_NAMED = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)B(?![a-zA-Z])", re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """A size, and why it was chosen, in words."""

    size: str
    reason: str


def choose(model: str, size: str = "auto", known: Iterable[str] = RANGES) -> Choice:
    """Return the size as asked for, or that of the model.

    Args:
        model: As a recipe takes it: a name, a folder, a run.
        size: `auto`, or one of `known`.
        known: The sizes of the recipe.

    Raises:
        RequestError: No such size, or the model is outside its range; the line names the right one.
    """
    sizes = tuple(known)
    if size != "auto" and size not in sizes:
        raise unknown("size", size, ["auto", *sizes])
    found = billions(model)
    if found is None:
        if size != "auto":
            return Choice(size, f"size {size}: as asked; how large {model} is cannot be told by its name")
        return Choice("3b-24gb", f"size 3b-24gb: how large {model} is cannot be told by its name; size=NAME sets it")
    right = next((name for name in BY_MODEL if RANGES[name][0] <= found < RANGES[name][1]), "")
    told = f"{model} has {spoken(found)} parameters"
    if size == "auto":
        if not right:
            raise RequestError(f"{told}, and no size is made for so many: give size=7b-80gb's settings one by one")
        return Choice(right, f"size {right}: {told}")
    low, high = RANGES[size]
    if not low <= found < high:
        raise RequestError(
            f"size={size} is for {spoken(low)} to {spoken(high)} parameters, {told}: "
            + (f"take size={right}, or leave size out" if right else "no size is made for so many")
        )
    return Choice(size, f"size {size}: as asked; {told}")


def billions(model: str) -> float | None:
    """Return how many billions of parameters a model has: by its config where it is a folder, else by its name.

    None where neither tells. The number of a config is a count of its large matrices, a few per cent low.
    """
    if model in ("tiny", "tiny-qwen3", "tiny-internvl", "tiny-smolvlm"):
        return 0.001
    config = _config(Path(model.partition("@")[0]))
    if "policy" in config:
        return billions(str(config["policy"]))
    if "base_model_name_or_path" in config:
        return billions(str(config["base_model_name_or_path"]))
    if config:
        return _counted(config)
    named = _NAMED.search(Path(model).name)
    return float(named[1]) if named else None


def spoken(number: float) -> str:
    """Return billions in words.

    >>> spoken(3.0), spoken(0.001)
    ('3B', '1M')
    """
    return f"{number:.3g}B" if number >= 0.5 or not number else f"{1000 * number:.3g}M"


def _config(folder: Path) -> dict[str, Any]:
    """Return the config of a model's, an adapter's or a run's folder; nothing where there is none."""
    for name in ("config.json", "adapter_config.json"):
        try:
            found = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return dict(found) if isinstance(found, dict) else {}
    return {}


def _counted(config: Mapping[str, Any]) -> float | None:
    """Return billions of parameters of the language model and the tower, by their widths and depths."""
    text = config.get("text_config") or config
    try:
        width, layers = int(text["hidden_size"]), int(text["num_hidden_layers"])
        heads, inner = int(text["num_attention_heads"]), int(text["intermediate_size"])
        words = int(text.get("vocab_size") or config["vocab_size"])
    except (KeyError, TypeError, ValueError):
        return None
    head = int(text.get("head_dim") or width // heads)
    keys = int(text.get("num_key_value_heads") or heads)
    experts = int(text.get("num_experts") or 0)
    mlp = 3 * width * (experts * int(text.get("moe_intermediate_size") or inner) if experts else inner)
    tied = config.get("tie_word_embeddings", text.get("tie_word_embeddings", False))
    total = layers * (2 * width * head * (heads + keys) + mlp) + words * width * (1 if tied else 2)
    vision = config.get("vision_config") or {}
    side, depth = int(vision.get("hidden_size") or 0), int(vision.get("depth") or vision.get("num_hidden_layers") or 0)
    return (total + depth * side * (4 * side + 3 * int(vision.get("intermediate_size") or 0))) / 1e9
