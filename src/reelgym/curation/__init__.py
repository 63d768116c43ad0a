"""Chains of thought: written from known facts here, by endpoints and verified later.

Public names: gold_reply.
"""

from reelgym.curation.gold import gold_reply

__all__ = ["gold_reply"]
