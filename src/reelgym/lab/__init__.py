"""The laboratory: recipes at equal compute, several seeds, on the embedded world, with controls on both sides."""

from reelgym.lab.run import Hands, Settings, run

__all__ = ["Hands", "Settings", "run"]
