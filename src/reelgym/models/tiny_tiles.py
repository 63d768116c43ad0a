"""Shapes of the tiny models whose families see tiles; `tiny` builds them.

A tile of theirs is four tokens. Images are one tile unless the budgets are raised, so that puzzles stay short.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reelgym.models.family import Family
from reelgym.models.patches import Sizing
from reelgym.models.tiles import Tiled

if TYPE_CHECKING:
    from reelgym.models.tiny import Size


def config(family: Family, tokenizer: Any, size: Size) -> dict[str, Any]:
    """Return the arguments of a family's config class."""
    text = size.text(len(tokenizer)) | {
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": None,
        "tie_word_embeddings": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": size.rope_theta},
    }
    vision: dict[str, Any] = {
        "hidden_size": size.vision_width,
        "intermediate_size": size.vision_mlp,
        "num_hidden_layers": size.vision_layers,
        "num_attention_heads": size.vision_heads,
        "initializer_range": size.initializer_range,
    }
    shared = {"image_token_id": tokenizer.convert_tokens_to_ids(family.marks["image"]), "tie_word_embeddings": True}
    if family.name == "smolvlm":
        vision |= {"image_size": 128, "patch_size": 16}
        return shared | {"text_config": text | {"model_type": "llama"}, "vision_config": vision, "scale_factor": 4}
    vision |= {"image_size": [56, 56], "patch_size": [14, 14]}
    return shared | {"text_config": text | {"model_type": "qwen2"}, "vision_config": vision, "image_seq_length": 4}


def sizing(family: Family) -> Sizing:
    """Return budgets under which an image is one tile."""
    assert isinstance(family, Tiled)
    area = family.tile**2
    return replace(family.sizing, image_min_pixels=area, image_max_pixels=area)
