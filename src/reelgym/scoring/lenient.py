"""Lenient parsers: the answer inside a longer reply, where the reply states one and only one.

They stand beside the strict parsers (`choice`, `number`, `span`, `parse`), whose reading they keep wherever there is
one. What they add is reading in sentences; what they never do is choose. Two letters without a conclusion, a reply cut
off while it thinks, an empty reply: None, which scores 0 and is counted apart. No letter is drawn at random, and the
article "a", the pronoun "I" and a person whom the options call C are no options.

Why: the parsers in use read replies that state the right letter as another one, as none, or as a different letter on
every call; `tests/scoring/test_scoring_torture.py` holds the replies.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from reelgym.scoring.choice import LETTERS, parse_choice
from reelgym.scoring.number import parse_number
from reelgym.scoring.parse import parse_indices
from reelgym.scoring.span import Span, parse_span

_LONGEST = 40_000
_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|(?=<answer>)|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT = re.compile(r"<(?:think|thinking|observation)>|</(?:think|thinking)>", re.IGNORECASE)

_CUE = (
    r"(?:answers?|options?|choices?|choose|pick|select|conclusion|it\s+(?:is|must\s+be)|it's|therefore|thus|hence"
    r"|r[e\u00e9]ponse|respuesta|risposta|resposta|antwort|opci\u00f3n|option|\u043e\u0442\u0432\u0435\u0442|\u0432\u0430\u0440\u0438\u0430\u043d\u0442|\u7b54\u6848|\u9009\u62e9|\u9078\u64c7|\u9009|\u7b54\u3048|\u6b63\u89e3|\uc815\ub2f5|\ub2f5)"
)
_LINK = (
    r"(?:\s|[:\uff1a=*_\"'\u201c\u201d\u2018\u2019(\[\uff08\u3010{]|\\boxed|\\text|\b(?:is|are|was|be|would|must|should|est|es|\u00e8|\u00e9|ist|lautet|option"
    r"|choice|letter|the|la|correct|final|best|right|most|likely|clearly|probably|definitely)\b|\u662f|\u4e3a|\u70ba|\u306f|\ub294|\uc740|[\u2014\u2013-])*"
)
_LETTER = r"(?<![A-Za-z0-9])([A-Za-z])(?![A-Za-z0-9'\u2019])"
_CUED = re.compile(_CUE + _LINK + _LETTER, re.IGNORECASE)
_AFTER = re.compile(_LETTER + r"[\s)\].*_\"']*(?:is|was|seems|est|es|ist)\s+(?:the\s+)?(?:correct|right|best|answer)\b")
_BOXED = re.compile(r"\\boxed\s*\{\s*(?:\\text\s*\{)?\s*([^{}]{1,200}?)\s*\}")
_MARKED = re.compile(r"[(\[{\uff08\u3010]\s*([A-Za-z])\s*[)\]}\uff09\u3011]|\*\*\s*([A-Za-z])\s*[.)]?\s*\*\*")
_ALONE = re.compile(_LETTER)
_MORE = re.compile(
    r"[\s)\].*_\"']*(?:,|/|&|or\b|and\b|oder\b|ou\b|\u6216|\u548c)\s*(?:option\s+)?[(\[*]*([A-Za-z])(?![A-Za-z0-9'\u2019])"
)
_REFUSED_BEFORE = re.compile(
    r"(?:\bnot|n't|\bnever|\bneither|\bnor|\bexcept|\brather than|\binstead of)\s+(?:option\s+)?[(\[*]*$", re.I
)
_REFUSED_AFTER = re.compile(
    r"^[\s)\].*_\"']*(?:(?:is|are|was|can(?:not)?|seems|looks)\s+)?(?:be\s+)?(?:wrong|incorrect|false|not|excluded|ruled\s+out|eliminated|impossible)\b",
    re.I,
)
_RUNS_ON = re.compile(r"\s+[a-z]")
_NAME_RUNS_ON = re.compile(r"\.?[ \t]+\w")
_RUNS_ON_ANY = re.compile(r"[ \t]+\w")
_CONCLUDES = re.compile(r"\s+(?:is|was|because|since|as|or|and|seems)\b")
_NUMBER = re.compile(
    r"(?<![\w.,])[+\-\u2212]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.[0-9]{1,15})?(?![0-9]|[.,][0-9])"
)
_NUMBER_CUE = re.compile(
    r"(?:answers?|total|count|=|\u7b54\u6848|\u043e\u0442\u0432\u0435\u0442)(?:\s|[:\uff1a=*(\[]|\b(?:is|are|the|final|about|approximately|around|roughly)\b|\u662f|\u4e3a)*$",
    re.I,
)
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SPELLED = re.compile(rf"\b({'|'.join(_WORDS)})\b", re.IGNORECASE)
_TIME = r"(?:[0-9]{1,3}:){0,2}[0-9]{1,6}(?:\.[0-9]{1,9})?"
_UNIT = r"\s*(?:s|secs?|seconds?)?"
_SPANS = re.compile(
    rf"(?<![\w.:])({_TIME}){_UNIT}\s*(?:-|\u2013|\u2014|,|to|and|until|till|\uff5e|~|\u5230|\u81f3)\s*({_TIME})(?![\d:]){_UNIT}",
    re.IGNORECASE,
)
_TIMES = re.compile(rf"(?<![\w.:])({_TIME})(?![\w.:]*[\d:])")


def final_text(reply: str) -> str | None:
    """Return the part of a reply that may hold its answer; None where it never got to one.

    The content of the last `<answer>` where there is any (cut off or not), else what follows the last closed thought;
    a thought that was opened and not closed was cut off, and holds no answer.

    >>> final_text("<think>B? no</think> The answer is C."), final_text("<think>The answer is B")
    ('The answer is C.', None)
    """
    if len(reply) > _LONGEST:
        return None
    text = unicodedata.normalize("NFKC", reply)
    if found := _ANSWER.findall(text):
        return str(found[-1]).strip()
    marks = list(_THOUGHT.finditer(text))
    if marks and not marks[-1][0].startswith("</"):
        return None
    return text[marks[-1].end() :].strip() if marks else text.strip()


def find_choice(reply: str, options: Sequence[str]) -> int | None:
    """Return the place of the one option that a reply states, counted from 0, or None.

    In this order: the whole answer names it (`choice.parse_choice`); a box holds it; the last "the answer is ..." (in
    a dozen languages) gives its letter; brackets or bold type mark one letter; one capital stands alone; the text of
    one option occurs. Letters that are denied ("not A", "A is wrong") do not count, nor do articles and pronouns.

    >>> find_choice("A man opens a door, so the answer is B", ["a cat", "a dog"])
    1
    >>> find_choice("A or B", ["a cat", "a dog"]) is None
    True
    """
    text = final_text(reply)
    if not text:
        return None
    boxed = _BOXED.findall(text)
    for said in [text, text.strip("*_ \"'`"), *boxed[-1:]]:
        if (place := parse_choice(said, options)) is not None:
            return place
    cued = [match for pattern in (_CUED, _AFTER) for match in pattern.finditer(text) if _counts(text, match, options)]
    if cued:
        last = max(cued, key=lambda match: match.start(1))
        also = _MORE.match(text, last.end(1))
        if also and also[1] != last[1] and _is_option(also[1], options):
            return None
        return _agreed(text, last.end(1), last[1], options)
    for pattern in (_MARKED, _ALONE):
        letters = _letters(text, pattern, options)
        if letters:
            ((letter, end),) = letters.items() if len(letters) == 1 else (("", 0),)
            return _agreed(text, end, letter, options) if letter else None
    return _mentioned(text, options)


def find_number(reply: str) -> float | None:
    """Return the one number that a reply states, or None where there is none or more than one.

    Several numbers are settled by the last one after "the answer is" or an equals sign, else not at all.

    >>> find_number("There are 3 chairs."), find_number("three"), find_number("2 or 3")
    (3.0, 3.0, None)
    """
    text = final_text(reply)
    if not text:
        return None
    boxed = _BOXED.findall(text)
    for said in [text, text.strip("*_ \"'`"), *boxed[-1:]]:
        if (number := parse_number(said)) is not None:
            return number
    found = list(_NUMBER.finditer(text))
    cued = [match for match in found if _NUMBER_CUE.search(text[max(0, match.start() - 60) : match.start()])]
    values = {_value(match[0]) for match in cued[-1:] or found}
    if not found:
        values = {float(_WORDS.index(word.lower())) for word in _SPELLED.findall(text)}
    return values.pop() if len(values) == 1 else None


def find_spans(reply: str, most: int = 5) -> tuple[Span, ...] | None:
    """Return the intervals in seconds that a reply states, in its order, or None.

    Pairs of times joined by a dash, a comma, `to`, `and` or `until`, each with start < stop; where there is no pair
    but two times in all, those. A pair that runs backwards makes the reply unreadable.

    Args:
        reply: What was written.
        most: More intervals than this are no answer.

    >>> find_spans("It happens from 3.5 to 10 seconds, and again at 0:12 - 0:20.")
    ((3.5, 10.0), (12.0, 20.0))
    """
    text = final_text(reply)
    if not text:
        return None
    pairs = [(match[1], match[2]) for match in _SPANS.finditer(text)]
    if not pairs:
        times = _TIMES.findall(text)
        pairs = [(times[0], times[1])] if len(times) == 2 else []
    spans = tuple(span for pair in pairs if (span := parse_span(f"{pair[0]} - {pair[1]}")) is not None)
    return spans if spans and len(spans) == len(pairs) <= most else None


def find_order(reply: str, count: int) -> tuple[int, ...] | None:
    r"""Return the order of 1..count that a reply states, or None: that of the last line or phrase that is one.

    >>> find_order("First the eggs.\\nCorrect order: 2, 1, 3", 3)
    (2, 1, 3)
    """
    text = final_text(reply)
    if not text:
        return None
    pieces = [piece for line in text.splitlines() for piece in (line, line.rpartition(":")[2])]
    found = [order for piece in [text, *pieces] if (order := _order(piece, count)) is not None]
    return found[-1] if found else None


def _order(text: str, count: int) -> tuple[int, ...] | None:
    return parse_indices(re.sub(r"(?i)\b(?:clips?|steps?|videos?|segments?)\b", " ", text).strip("*_ `"), count, count)


def _is_option(letter: str, options: Sequence[str]) -> bool:
    return 0 <= LETTERS.find(letter.upper()) < len(options)


def _counts(text: str, match: re.Match[str], options: Sequence[str], *, bare: bool = False) -> bool:
    """Return whether a letter stands for an option here; `bare` is one without a mark or a conclusion before it."""
    letter, start, stop = match[1], match.start(1), match.end(1)
    if not _is_option(letter, options):
        return False
    follows = text[stop : stop + 40]
    # Some options call a person C, or a worm C. elegans: where more words follow that is no choice.
    is_name = bare and any(letter in re.findall(r"\w+", option) for option in options)
    runs_on = _NAME_RUNS_ON if is_name else _RUNS_ON_ANY if bare else _RUNS_ON
    if (letter in "aAI" or is_name) and runs_on.match(follows) and not _CONCLUDES.match(follows):
        return False
    if letter.islower() and re.match(r"\s*[A-Za-z]", follows):
        return False
    return not _REFUSED_BEFORE.search(text[max(0, start - 40) : start]) and not _REFUSED_AFTER.match(follows)


def _letters(text: str, pattern: re.Pattern[str], options: Sequence[str]) -> dict[str, int]:
    """Return the letters of all options that a pattern finds, with where they end; of bare letters, capitals only."""
    bare, found = pattern is _ALONE, dict[str, int]()
    for match in pattern.finditer(text):
        letter = next(group for group in match.groups() if group)
        inner = _ALONE.match(text, match.start() + match[0].index(letter))
        if inner is None or (bare and letter.islower()):
            continue
        also = _MORE.match(text, inner.end(1)) if bare else None
        if also and _is_option(letter, options) and _is_option(also[1], options) and also[1].isupper():
            # "C and A I cannot tell apart": in a row of letters none is an article or a pronoun.
            found |= {letter: inner.end(1), also[1]: also.end(1)}
            continue
        if bare and letter == "I" and text[inner.end(1) :][:1] not in ".):,":
            continue
        if _counts(text, inner, options, bare=bare):
            found[letter.upper()] = inner.end(1)
    return found


def _agreed(text: str, end: int, letter: str, options: Sequence[str]) -> int | None:
    """Return the place of a letter, or None where the rest of its line is the text of another option."""
    place, beside = LETTERS.index(letter.upper()), _plain(text[end:].lstrip(" .):*]").split("\n")[0])
    own = _plain(options[place])
    return None if beside and beside != own and beside in map(_plain, options) else place


def _mentioned(text: str, options: Sequence[str]) -> int | None:
    """Return the place of the one option whose words occur; an option inside a longer one that occurs is not meant."""
    said = f" {_plain(text)} "
    there = [(place, _plain(option)) for place, option in enumerate(options)]
    there = [(place, words) for place, words in there if words and f" {words} " in said]
    outer = [p for p, words in there if not any(words != o and f" {words} " in f" {o} " for _, o in there)]
    return outer[0] if len(outer) == 1 else None


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower()))


def _value(text: str) -> float:
    return float(text.replace(",", "").replace("\u2212", "-"))
