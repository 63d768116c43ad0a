"""Scores of a short free answer by rule: the same number, or the same words.

Reference: the open questions of Video-MMMU (arXiv 2501.13826). Where we differ: its parser looks for the right answer
anywhere in a reply, and for any number in it; here the answer as a whole is compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from reelgym.scoring.lenient import final_text, find_number
from reelgym.scoring.number import number_parts, parse_number
from reelgym.scoring.words import parse_words, plain_words

_MARK = re.compile(r"(?:final\s+answer|answer\s+is)\s*(?:is\s*)?[:\uff1a]?(?:\s|\*)*", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\text\s*\{)?\s*([^{}]{1,200}?)\s*\}")


def stated(reply: str) -> str | None:
    r"""Return the text that a reply ends in as its answer: after the last mark or in the last box, else all of it.

    None where it never got to an answer: cut off while thinking, empty, or of more than 2,000 words.

    >>> stated("<think>3? 4?</think> Two of them ran. **Final Answer:** the dog"), stated("<think>the")
    ('the dog', None)
    """
    text = final_text(reply)
    if not text:
        return None
    boxed, marks = _BOXED.findall(text), list(_MARK.finditer(text))
    said = str(boxed[-1]) if boxed else text[marks[-1].end() :] if marks else text
    return parse_words(said.strip().strip("*_\"'` ") or text)


def bare(text: str) -> str | None:
    """Return the text where it is an answer with no mark or box before it, else None."""
    return None if _MARK.search(text) or _BOXED.search(text) else parse_words(text)


def right_texts(answer: str) -> list[str]:
    """Return the right answers of a row: of a list that is written as text its members, else the text.

    >>> right_texts("['24/7', '3.429']"), right_texts("[0, 11]"), right_texts("a dog")
    (['24/7', '3.429'], ['[0, 11]'], ['a dog'])
    """
    try:
        held = ast.literal_eval(answer.strip()) if answer.lstrip().startswith("[") else None
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        held = None
    if not isinstance(held, list) or not held or not all(isinstance(one, str) for one in held):
        return [answer]
    return held


def is_right(reply: str, truths: Sequence[str]) -> bool:
    """Return whether an answer is one of the right ones: equal to two decimals as numbers, or equal in words.

    Case, punctuation and the unit or words around the only number do not matter.

    >>> is_right("about 3.50 m/s", ["3.5"]), is_right("The dog.", ["the dog"]), is_right("a dog", ["dogs"])
    (True, True, False)
    """
    return any(_is_same(reply, truth) for truth in truths)


def _is_same(reply: str, truth: str) -> bool:
    right = parse_number(truth.strip().strip("$ "))
    if right is None:
        return plain_words(reply) == plain_words(truth)
    said = find_number(reply)
    return said is not None and number_parts(said, right)["exact"] == 1.0
