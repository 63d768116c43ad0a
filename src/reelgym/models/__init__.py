"""Adapters, one per model family, over the stock transformers classes; the tiny models; loading and saving.

`load(name)` gives a `Policy`: messages to a `Prompt` (ids, explicit positions, patches), `Features` from the vision
tower once per prompt, hidden states with features in place, logits, and text. Imports no video reader and no terminal.
"""

from reelgym.models.base import Family, Features, Policy, Prompt
from reelgym.models.loading import load, shape_of

__all__ = ["Family", "Features", "Policy", "Prompt", "load", "shape_of"]
