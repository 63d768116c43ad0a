"""Where each family's stock class keeps its vision tower and its language model: three layouts, one place that knows.

| Class | Tower and merger | Language model |
| --- | --- | --- |
| Qwen2.5-VL, Qwen3-VL | `visual`, merger inside | `language_model` |
| InternVL | `vision_tower`, `multi_modal_projector` | `language_model` |
| SmolVLM | `vision_model`, `connector` | `text_model` |
"""

from __future__ import annotations

from typing import Any

from torch import nn

_TOWERS = (("visual",), ("vision_tower", "multi_modal_projector"), ("vision_model", "connector"))
_TEXTS = ("language_model", "text_model")


def tower_of(model: Any) -> nn.Module | None:
    """Return the vision tower with its merger, as one module; None where there is none."""
    core = getattr(model, "model", None)
    for names in _TOWERS:
        found = [part for part in (getattr(core, name, None) for name in names) if isinstance(part, nn.Module)]
        if len(found) == len(names):
            return found[0] if len(found) == 1 else nn.ModuleList(found)
    return None


def text_of(model: Any) -> Any:
    """Return the language model, without its head."""
    return next(getattr(model.model, name) for name in _TEXTS if hasattr(model.model, name))


def blocks_of(model: Any) -> list[nn.Module]:
    """Return the tower's transformer blocks in order."""
    core = model.model
    if hasattr(core, "visual"):
        return list(core.visual.blocks)
    encoder = (core.vision_tower if hasattr(core, "vision_tower") else core.vision_model).encoder
    return list(encoder.layer if hasattr(encoder, "layer") else encoder.layers)
