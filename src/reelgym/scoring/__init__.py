"""Where an answer becomes a number: parsers of replies, scores with their parts, chance levels and their correction.

`answer_text`, `parse_indices` (parse); `Score`, `corrected` (score); `ordered_parts`, `ordered_chance`
(ordered: choose K of K + l and put them in order); intervals over clusters of rows (`statistics`, and
`running` for rows seen once).
"""

from reelgym.scoring.ordered import PARTS, ordered_chance, ordered_parts
from reelgym.scoring.parse import answer_text, parse_indices
from reelgym.scoring.score import Score, corrected

__all__ = [
    "PARTS",
    "Score",
    "answer_text",
    "corrected",
    "ordered_chance",
    "ordered_parts",
    "parse_indices",
]
