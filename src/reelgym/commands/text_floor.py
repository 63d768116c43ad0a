"""What `eval --text-model` takes and asks: models that see the text alone, as floors."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelgym.errors import RequestError

if TYPE_CHECKING:
    from reelgym.data.sample import Sample
    from reelgym.evaluation.results import Evaluation
    from reelgym.evaluation.speakers import Manners
    from reelgym.tasks.base import MediaReader

TextModel = Annotated[
    list[str] | None, typer.Option(metavar="MODEL", help="Sees the text alone: a floor. Named as for --model.")
]


def checked(texts: Sequence[str] | None, models: Sequence[str]) -> Sequence[str]:
    """Return the models that see text alone; one that is asked plainly too is an error that names the probe."""
    for name in texts or ():
        if name in models:
            raise RequestError(f"--text-model {name} is a --model too: give --probes text_only instead")
    return texts or ()


def text_floors(
    names: Sequence[str],
    samples: Sequence[Sample],
    media: MediaReader,
    manners: Manners,
    *,
    prompt: str,
    **how: Any,
) -> dict[str, Evaluation]:
    """Return what models earn from the text alone, by name; without those that a budget pays nothing for.

    Args:
        names: Models.
        samples: What to ask.
        media: Reads nothing here.
        manners: How endpoints are asked.
        prompt: As `ask.prompts` takes it; the first it gives is used.
        how: What else `ask.ask` takes.
    """
    from reelgym.evaluation import ask, speakers

    found: dict[str, Evaluation] = {}
    for name in names:
        with ExitStack() as held:
            who = held.enter_context(speakers.speaker(name, manners)) if speakers.is_speaker(name) else None
            how |= {"speaker": who, "journal": speakers.journal_of(f"{name} text", manners.folder), "plain": False}
            variants = ask.prompts(prompt, name)[:1]
            made = ask.ask(name, samples, media, variants=variants, probes=["text_only"], **how)
            if made:
                (found[name],) = made.values()
    return found
