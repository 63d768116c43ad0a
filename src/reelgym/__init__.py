"""Reelgym post-trains video language models on puzzles cut out of raw video, and measures whether they look."""

__version__ = "0.1.0"
