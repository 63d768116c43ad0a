"""Orders: which prompts come when. One file each; a new file is a new order.

Public names: Order.
"""

from reelgym.training.orders.base import Order

__all__ = ["Order"]
