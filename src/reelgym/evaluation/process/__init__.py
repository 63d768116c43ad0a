"""Looking and reasoning measured apart: what observations are worth, and whether thinking and answer agree.

    sufficiency   what a model scores from video, from text, and from either beside a written observation
    mismatch      how often the thinking arrives at another answer than the one given
    observations  what observations get right, wrong and miss of known facts; how many state an answer
    segments      reward and length of each segment over sampled replies, and groups that teach it nothing

All return JSON values; `EVAL/results.json` keeps them under `process`, and `EVAL/sufficiency` every reply of the test
of sufficiency (`measured.write`).
"""

from reelgym.evaluation.process.measured import NAMES, Around, Wanted, measured, write

__all__ = ["NAMES", "Around", "Wanted", "measured", "write"]
"""Public names."""
