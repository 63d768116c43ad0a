"""The text-match judge: an observation suffices if the words of the right answer stand in it. The floor of judging."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reelgym.judges.endpoint import key_of
from reelgym.rewards.perception import Case, Verdict

_LETTERED = re.compile(r"[A-Z]\. ")


class TextMatchJudge:
    """Looks for the right answer's words, in a row, whatever stands around them; of a choice for the option's text.

    It is fooled by an observation that mentions the answer to deny it, and by one that says it in other words.
    """

    name = "text match"

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return 1 or 0 per case, in order."""
        return [self._one(case) for case in cases]

    def _one(self, case: Case) -> Verdict:
        wanted = _LETTERED.sub("", key_of(case.sample), count=1).strip()
        words = [re.escape(word) for word in re.findall(r"\w+", wanted.lower())]
        pattern = r"(?<!\w)" + r"\W+".join(words) + r"(?!\w)"
        found = bool(words) and re.search(pattern, (case.observation or "").lower()) is not None
        return Verdict(float(found), f"{wanted!r} {'stands' if found else 'does not stand'} in it")
