"""Registers PA-GRPO with verl where verl imports it: name it in `VERL_USE_EXTERNAL_MODULES`."""

from importlib.util import find_spec

from reelgym.peers.verl import register

# Tools that look through every module import this one where there is no verl.
if find_spec("verl") is not None:
    register()
