"""Records of Video-R1 (arXiv 2503.21776): its reasoning file for SFT and its question file for RL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from reelgym.data.form import contents
from reelgym.synthesis.labelled.record import BadRecord, Draft, Reader, Row, options_of, text_of, unmarked, untagged

KINDS = {
    "multiple choice": "choice",
    "numerical": "number",
    "ocr": "ocr",
    "free-form": "text",
    "regression": "regression",
}
"""Its problem types, and ours."""


GIVEN = ("reward", "select", "clean_version")
"""What only says how the record was made: kept in the provenance and not acted on."""


class VideoR1(Reader):
    """Video-R1: problem, problem_type, options, solution, path, data_type video or image; process in the SFT file.

    Reference: arXiv 2503.21776.
    """

    name: ClassVar[str] = "video-r1"

    def fits(self, row: Row) -> bool:
        """See `Reader.fits`."""
        return {"problem", "problem_type", "path"} <= set(row) and not {"observation", "clean_version"} & set(row)

    def drafts(self, row: Row) -> Sequence[Draft]:
        """See `Reader.drafts`; values may all be text, as in VideoP2R's RL file."""
        medium = text_of(row, "data_type").lower()
        if medium not in ("", "video", "image"):
            raise BadRecord(f"data_type {medium!r} is none of video, image")
        stated = text_of(row, "problem_type")
        if stated.lower() not in KINDS:
            raise BadRecord(f"problem_type {stated!r} is none of {', '.join(KINDS)}")
        kind = KINDS[stated.lower()]
        # What a record does not hold apart may stand in the model's whole reply.
        whole = contents(text_of(row, "output"))
        return [
            Draft(
                video=text_of(row, "path"),
                question=unmarked(text_of(row, "problem")),
                kind=kind,
                answer=untagged(text_of(row, "solution", "answer")),
                options=options_of(row.get("options")) if kind == "choice" else (),
                observation=untagged(text_of(row, "observation")) or whole.get("observation", ""),
                think=untagged(text_of(row, "process")) or whole.get("think", ""),
                given_id=text_of(row, "problem_id"),
                origin=text_of(row, "data_source"),
                medium="image" if medium == "image" else "video",
                given={name: text for name in GIVEN if (text := text_of(row, name))},
            )
        ]
