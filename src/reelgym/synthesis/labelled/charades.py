"""Lines in the style of Charades-STA (arXiv 1705.02101): a video, a span of time, and what happens in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from reelgym.synthesis.labelled.record import BadRecord, Draft, Reader, Row
from reelgym.synthesis.labelled.rows import LINE

_LINE = re.compile(r"(?P<video>.+?)\s+(?P<start>[0-9.]{1,20})\s+(?P<stop>[0-9.]{1,20})\s*##\s*(?P<sentence>.+)")


class Charades(Reader):
    """Charades-STA: lines of `VIDEO START END##sentence`, times in seconds (arXiv 1705.02101)."""

    name: ClassVar[str] = "charades"

    def fits(self, row: Row) -> bool:
        """See `Reader.fits`."""
        return set(row) == {LINE} and "##" in str(row[LINE])

    def drafts(self, row: Row) -> Sequence[Draft]:
        """See `Reader.drafts`."""
        found = _LINE.fullmatch(str(row.get(LINE, "")))
        if found is None:
            raise BadRecord("is not VIDEO START END##sentence")
        try:
            span = float(found["start"]), float(found["stop"])
        except ValueError as error:
            raise BadRecord(f"its times {found['start']} and {found['stop']} are not both numbers") from error
        return [Draft(video=found["video"], question=asked_when(found["sentence"]), kind="span", answer=span)]


def asked_when(sentence: str) -> str:
    """Return the question about a sentence. The wording is ours."""
    return f"When does this happen: {sentence.strip().rstrip('.')}?"
