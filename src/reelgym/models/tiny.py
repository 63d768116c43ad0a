"""The embedded models: the families' own classes at one to two million parameters, with random weights.

Every line that a user runs on a model of seven billion parameters runs on these, on a laptop. Packaged weights, where
they exist, were cold-started from exactly these by supervised training.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from reelgym.errors import unknown
from reelgym.models import tiny_tiles, tower
from reelgym.models.base import Policy
from reelgym.models.family import Family
from reelgym.models.internvl import InternVL
from reelgym.models.patches import Sizing
from reelgym.models.qwen2_5_vl import Qwen2_5VL
from reelgym.models.qwen3_vl import Qwen3VL
from reelgym.models.smolvlm import SmolVLM

ASSETS = Path(__file__).parent / "assets"
NAMES = {"tiny": "qwen2_5_vl", "tiny-qwen3": "qwen3_vl", "tiny-internvl": "internvl", "tiny-smolvlm": "smolvlm"}
FAMILIES: dict[str, type[Family]] = {family.name: family for family in (Qwen2_5VL, Qwen3VL, InternVL, SmolVLM)}


@dataclass(frozen=True, kw_only=True)
class Size:
    """Widths and depths of a tiny model; `head` is one attention head's width, in text and vision alike."""

    width: int = 128
    layers: int = 4
    heads: int = 4
    key_value_heads: int = 2
    mlp: int = 384
    vision_width: int = 64
    vision_layers: int = 2
    vision_heads: int = 2
    vision_mlp: int = 192
    rope_theta: float = 10_000.0
    initializer_range: float = 0.06
    """The real models' 0.02 is too small at such widths: reading one square off one frame took about 150 steps of 32
    frames at 0.06 and had not begun after 300 at 0.02."""
    max_tokens_per_frame: int = 4
    """A larger frame is shrunk until it costs no more tokens than this."""

    def text(self, vocabulary: int) -> dict[str, Any]:
        """Return what every family's text config takes, for a vocabulary of so many tokens."""
        return {
            "vocab_size": vocabulary,
            "hidden_size": self.width,
            "intermediate_size": self.mlp,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_value_heads,
            "max_position_embeddings": 32768,
            "initializer_range": self.initializer_range,
        }


def build(family: str, seed: int = 0, size: Size | None = None) -> Policy:
    """Return a policy with random weights in float32.

    Args:
        family: A key of `FAMILIES`.
        seed: Of the weights; the global random state is left as it was.
        size: Widths and depths; the defaults give 1.0M to 1.3M parameters.
    """
    if family not in FAMILIES:
        raise unknown("model family", family, FAMILIES)
    size, adapter = size or Size(), FAMILIES[family]()
    tokenizer = packaged_tokenizer(adapter)
    model_class = adapter.model_class()
    made = _config(family, tokenizer, size) if adapter.axes == 3 else tiny_tiles.config(adapter, tokenizer, size)
    config = model_class.config_class(**made)
    adapter = adapter.configured(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_class._from_config(config, dtype=torch.float32)
    tower.install(model)
    model.generation_config.eos_token_id = [tokenizer.eos_token_id, tokenizer.pad_token_id]
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.name_or_path = name = next(short for short, known in NAMES.items() if known == family)
    return Policy(
        model=model.eval(),
        tokenizer=tokenizer,
        family=adapter,
        source=name,
        sizing=_sizing(adapter, size),
        cold_started=False,
    )


def packaged_tokenizer(family: Family) -> Any:
    """Return the small tokenizer with a family's special tokens and chat template."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(ASSETS / "tokenizer.json"),
        eos_token=family.end_token,
        pad_token=family.pad_token,
        extra_special_tokens=dict(family.named_tokens),
        chat_template=(ASSETS / family.template).read_text(encoding="utf-8"),
        clean_up_tokenization_spaces=False,
        model_max_length=32768,
    )
    known, needed = tokenizer.get_vocab(), (*family.vision_tokens, *family.layout_tokens)
    tokenizer.add_tokens([token for token in needed if token not in known], special_tokens=True)
    return tokenizer


def _config(family: str, tokenizer: Any, size: Size) -> dict[str, Any]:
    ids = {token: tokenizer.convert_tokens_to_ids(f"<|{token}|>") for token in ("endoftext", "im_end")}
    head = size.width // size.heads
    text = size.text(len(tokenizer)) | {
        "bos_token_id": ids["endoftext"],
        "eos_token_id": ids["im_end"],
        "pad_token_id": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": size.rope_theta, **_sections(family, head)},
    }
    vision: dict[str, Any] = {
        "depth": size.vision_layers,
        "hidden_size": size.vision_width,
        "intermediate_size": size.vision_mlp,
        "num_heads": size.vision_heads,
        "out_hidden_size": size.width,
        "initializer_range": size.initializer_range,
    }
    if family == "qwen2_5_vl":
        vision |= {"tokens_per_second": 2, "fullatt_block_indexes": [size.vision_layers - 1], "window_size": 112}
    else:
        text |= {"head_dim": head}
        vision |= {"num_position_embeddings": 64, "deepstack_visual_indexes": list(range(size.vision_layers - 1))}
    places = ("image_pad", "video_pad", "vision_start", "vision_end")
    named = dict(zip(("image", "video", "vision_start", "vision_end"), places, strict=True))
    special = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{token}|>") for name, token in named.items()}
    return {"text_config": text, "vision_config": vision, "tie_word_embeddings": True, **special}


def _sections(family: str, head: int) -> dict[str, Any]:
    """Return how a head's frequencies are shared by time, rows and columns, in the proportions of the real models."""
    half = head // 2
    if family == "qwen2_5_vl":
        space = half * 3 // 8
        return {"mrope_section": [half - 2 * space, space, space]}
    space = half * 5 // 16
    return {"mrope_section": [half - 2 * space, space, space], "mrope_interleaved": True}


def _sizing(family: Family, size: Size) -> Sizing:
    """Return budgets under which a frame of one token's side costs one token, and none more than the size allows."""
    if family.axes == 1:
        return tiny_tiles.sizing(family)
    token = family.pixels.factor**2
    most = token * size.max_tokens_per_frame
    real = asdict(family.sizing)
    small = {"image_min_pixels": token, "image_max_pixels": most, "video_min_pixels": token}
    if family.name == "qwen2_5_vl":
        return Sizing(**{**real, **small, "video_max_pixels": most})
    return Sizing(**{**real, **small, "frame_max_tokens": size.max_tokens_per_frame})
