"""Questions about rendered videos, and a server that answers them from the facts with a chosen fault for each."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chat_server import Said, text_of

from reelgym import world
from reelgym.data.dataset import Dataset, read_dataset
from reelgym.scoring.choice import LETTERS
from reelgym.synthesis.labelled import import_records

KEPT = ("right", "right", "busy", "broken server", "slow", "garbled status")
FAULTS = (
    *KEPT,
    "wrong answer",
    "broken tags",
    "in words",
    "cut off",
    "no UTF-8",
    "refusal",
    "empty",
    "states the answer",
    "insufficient",
    "not blind",
    "no verdict",
    "never ends",
)
SLOW_SECONDS = 8.0


@dataclass(frozen=True)
class Asked:
    """One question, what is right, and what will go wrong."""

    text: str
    options: tuple[str, ...]
    right: int
    fault: str


def questions(folder: Path) -> list[Asked]:
    """Return the questions of a folder of rendered videos, each under a name of its own."""
    found = [
        (path.name, question)
        for path in sorted(folder.glob("*.mp4"))
        for question in world.load_facts(path).questions()
    ]
    assert len(found) >= len(FAULTS)
    return [
        Asked(f"Scene {n:03d}. {q.text}", q.options, q.options.index(q.answer), FAULTS[n % len(FAULTS)])
        for n, (_, q) in enumerate(found)
    ]


def dataset(folder: Path, out: Path) -> Dataset:
    """Return the questions of a folder as a dataset, all on the train side."""
    names = [path.name for path in sorted(folder.glob("*.mp4")) for _ in world.load_facts(path).questions()]
    rows = [
        {"video": name, "ask": one.text, "right": LETTERS[one.right], "options": list(one.options)}
        for name, one in zip(names, questions(folder), strict=True)
    ]
    table = out.with_suffix(".jsonl")
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    columns = "video=video,ask=question,right=answer,options=options"
    import_records(table, out, videos=folder, columns=columns, frames=2, max_pixels=28 * 28, split="train", workers=1)
    return read_dataset(out)


class Teller:
    """Answers from the facts; call it with a body and how often it came."""

    def __init__(self, asked: list[Asked]) -> None:
        self.asked = {one.text[:10]: one for one in asked}

    def __call__(self, body: dict[str, Any], before: int) -> Said:
        text = text_of(body)
        found = re.search(r"Scene \d{3}\.", text)
        assert found, text
        one = self.asked[found[0]]
        if "ended in no verdict" in text:
            return Said("Hm." if one.fault in ("no verdict", "never ends") else "<judgement>yes</judgement>")
        if "Correct answer:" in text:
            return self.judged(one)
        if "Answer the question from the observation alone" in text:
            place = (one.right + (one.fault == "not blind")) % len(one.options)
            return Said(f"It says so. <answer>{LETTERS[place]}</answer> <judgement>yes</judgement>")
        return self.written(one, before)

    def judged(self, one: Asked) -> Said:
        if one.fault == "never ends":
            return Said("It names it, and names it, and", finish="length")
        if one.fault == "no verdict":
            return Said("It does. <judgement>perhaps</judgement>")
        return Said(f"I read. <judgement>{'no' if one.fault == 'insufficient' else 'yes'}</judgement>")

    def written(self, one: Asked, before: int) -> Said:
        place = (one.right + (one.fault == "wrong answer")) % len(one.options)
        seen = f"In {one.text[:9].lower()} I see that it is about {one.options[one.right]} and nothing else"
        if one.fault == "states the answer":
            seen = f"The correct answer is {LETTERS[one.right]}"
        answer = "the second, I think" if one.fault == "in words" else LETTERS[place]
        reply = f"<observation>{seen}.</observation><think>So.</think><answer>{answer}</answer>"
        first: dict[str, Said] = {
            "busy": Said(status=429, headers={"Retry-After": "0.1"}),
            "broken server": Said(status=500, raw=b"oops"),
            "slow": Said(reply, seconds=SLOW_SECONDS),
            "garbled status": Said(raw=b'{"error": {"message": "overloaded", "code": 503}}'),
        }
        if before == 0 and one.fault in first:
            return first[one.fault]
        return {
            "broken tags": Said(reply.replace("</observation>", "")),
            "cut off": Said(reply[:60], finish="length"),
            "no UTF-8": Said(raw=Said(reply.replace("So.", "S?.")).content("m").replace(b"S?.", b"S\xff.")),
            "refusal": Said("I'm sorry, but I can't help with that."),
            "empty": Said(""),
        }.get(one.fault, Said(reply))
