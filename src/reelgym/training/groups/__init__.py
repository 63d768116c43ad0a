"""Group policies: what becomes of a group without signal. One file each; a new file is a new policy.

Public names: GroupPolicy, Outcome.
"""

from reelgym.training.groups.base import GroupPolicy, Outcome

__all__ = ["GroupPolicy", "Outcome"]
