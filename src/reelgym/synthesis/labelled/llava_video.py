"""Records in the style of LLaVA-Video-178K (arXiv 2410.02713): conversations about one video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from reelgym.scoring.choice import LETTERS, parse_choice
from reelgym.synthesis.labelled.record import BadRecord, Draft, Reader, Row, lettered, text_of, unmarked


class LlavaVideo(Reader):
    """LLaVA-Video style: video and conversations of human and gpt turns; each pair is a question (arXiv 2410.02713)."""

    name: ClassVar[str] = "llava-video"

    def fits(self, row: Row) -> bool:
        """See `Reader.fits`."""
        return {"conversations", "video"} <= set(row)

    def drafts(self, row: Row) -> Sequence[Draft]:
        """Return one draft per pair of turns.

        Lettered lines in a question are its options; what follows them is an instruction on the form of the reply, and
        ours takes its place. A question without them is free text.
        """
        turns = row.get("conversations")
        if not isinstance(turns, list) or not turns or len(turns) % 2:
            raise BadRecord("its conversations are no pairs of a question and an answer")
        about = Draft(
            video=text_of(row, "video"),
            question="",
            kind="text",
            answer="",
            given_id=text_of(row, "id"),
            origin=text_of(row, "data_source"),
        )
        return [_draft(about, *pair) for pair in zip(turns[::2], turns[1::2], strict=True)]


def _draft(about: Draft, asked: Any, answered: Any) -> Draft:
    question, answer = unmarked(_said(asked, "human")), _said(answered, "gpt").strip()
    stem, options = lettered(question)
    if not options:
        return replace(about, question=question, answer=answer)
    chosen = parse_choice(answer, options)
    return replace(
        about,
        question=stem,
        kind="choice",
        answer=answer if chosen is None else LETTERS[chosen],
        options=options,
    )


def _said(turn: Any, speaker: str) -> str:
    if not isinstance(turn, dict) or turn.get("from") != speaker or not isinstance(turn.get("value"), str):
        raise BadRecord("its turns are not human and gpt in exchange, each with a value")
    return str(turn["value"])
