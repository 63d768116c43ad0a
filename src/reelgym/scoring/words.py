"""Scores of free text: word error rate (by jiwer) and ROUGE (by rouge-score).

Reference: the OCR and free-form rewards of Video-R1 (arXiv 2503.21776), which VideoP2R (arXiv 2511.11113) takes over;
ROUGE is Lin's (2004). On text of plain Latin letters and digits both are exactly theirs. Where we differ: letters of
every script are words, and in scripts that put no spaces between words every character is one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, Kana and Han."""
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_SPLIT = re.compile(rf"([{_UNSPACED}])")
_MOST = 2_000
_STEMMED_FROM = 4
"""Letters from which rouge-score stems a word."""


def parse_words(text: str) -> str | None:
    """Return the text, or None where it has no word or more than 2,000."""
    return text if 0 < len(text.split()) <= _MOST and len(text) <= 20 * _MOST else None


def word_parts(reply: str, truth: str) -> dict[str, float]:
    """Return every measure of a text, each in [0, 1].

    * exact: 1 if the words are the same, case and punctuation aside.
    * word_accuracy: 1 - WER, not below 0.
    * rouge1, rouge2, rouge_l: see `rouge`; a truth of one word has no pairs: there rouge2 is exact.
    * rouge: their mean.
    """
    said, right = plain_words(reply), plain_words(truth)
    exact = float(said == right)
    measures = rouge(reply, truth)
    if len(right) <= 1:
        measures["rouge2"] = exact
    accuracy = max(0.0, 1.0 - word_error_rate(reply, truth))
    return {"exact": exact, "word_accuracy": accuracy} | measures | {"rouge": sum(measures.values()) / len(measures)}


def word_error_rate(reply: str, truth: str) -> float:
    """Return word insertions, deletions and substitutions over the words of the truth, case and punctuation kept.

    It may exceed 1. Against a truth without words it is 0 for a reply without any, else 1.

    >>> word_error_rate("a b c", "a x c d")
    0.5
    """
    import jiwer

    said, right = _spaced(reply), _spaced(truth)
    if not right:
        return float(bool(said))
    return float(jiwer.wer(right, said)) if said else 1.0


def rouge(reply: str, truth: str) -> dict[str, float]:
    """Return `rouge1`, `rouge2`, `rouge_l`: F measures of common words, word pairs and longest common subsequence.

    Words are without case and stemmed.

    >>> rouge("a red car", "a red bus")["rouge2"]
    0.5
    """
    found = _scorer().score(truth, reply)
    names = {"rouge1": "rouge1", "rouge2": "rouge2", "rouge_l": "rougeL"}
    return {name: float(found[theirs].fmeasure) for name, theirs in names.items()}


@lru_cache(maxsize=1)
def _scorer() -> RougeScorer:
    # It reads a dictionary's worth of modules: only those who score text wait for it.
    from nltk.stem.porter import PorterStemmer
    from rouge_score.rouge_scorer import RougeScorer

    stemmer = PorterStemmer()

    class Tokenizer:
        """As rouge-score's own, for every script."""

        def tokenize(self, text: str) -> list[str]:
            return [stemmer.stem(word) if len(word) >= _STEMMED_FROM else word for word in plain_words(text)]

    return RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=Tokenizer())


def plain_words(text: str) -> list[str]:
    """Return the words of a text without case and punctuation; in scripts without spaces, its characters."""
    return _WORD.findall(text.lower())


def _spaced(text: str) -> str:
    """Return the words of a text with one space between them."""
    return " ".join(_SPLIT.sub(r" \1 ", text).split())
