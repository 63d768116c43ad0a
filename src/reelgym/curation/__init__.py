"""Chains of thought: written from known facts here, by endpoints and verified later.

Public names: drill_reply, gold_reply, habit_reply.
"""

from reelgym.curation.gold import drill_reply, gold_reply, habit_reply

__all__ = ["drill_reply", "gold_reply", "habit_reply"]
