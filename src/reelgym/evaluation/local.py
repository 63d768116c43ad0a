"""A policy on this machine as one who is asked: by video, the next frames read meanwhile, every reply kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from reelgym.data.dataset import canonical
from reelgym.data.messages import Clip, Image, Text, to_json
from reelgym.errors import WorkError
from reelgym.evaluation.speakers import Asked, Said, Speaker
from reelgym.rollout.base import SamplingParams
from reelgym.rollout.paid import Journal
from reelgym.tasks.base import MediaReader

if TYPE_CHECKING:
    from reelgym.models.base import Policy, Prompt
    from reelgym.rollout.base import Sampler

VERSION = 1
"""Of the lines in a journal; raised whenever the same questions would be batched or put otherwise."""

PIXELS = 1 << 26
"""Most pixels of different frames in a batch, unless the media of one question alone have more: as patches in float32
they take 0.8 GB, and those of the next batch are read meanwhile. Ours."""

Item = TypeVar("Item")
Made = TypeVar("Made")


BATCH = 32
"""Prompts decoded together where nobody says otherwise. Ours."""


class Local(Speaker):
    """A policy, greedy. Questions about one video are asked side by side, and a thread reads the next batch's frames.

    A journal keeps the replies of a batch as one line: a run that was killed goes on with the very batches of one that
    was not, so that both end with the same replies, ties of the likeliest token included.
    """

    def __init__(self, policy: Policy, sampler: Sampler, batch: int = BATCH, *, journal: Journal | None = None) -> None:
        """Take who encodes, who generates, how many prompts are decoded together, and where replies are kept."""
        self.position_rule, self._policy, self._sampler, self._batch = policy.position_rule, policy, sampler, batch
        self._journal, self._weights = journal, ""

    @staticmethod
    def load(model: str, media: MediaReader, journal: Path | None = None) -> Local:
        """Return who replies for a name of `models.load`; features of its tower are kept beside the media's frames.

        Raises:
            RequestError: No such model, or a journal that another run writes.
        """
        from reelgym import models
        from reelgym.models.features import Blobs, KeptFeatures
        from reelgym.rollout.local import LocalSampler

        kept_replies = None if journal is None else Journal(journal)
        policy = models.load(model)
        store = getattr(media, "store", None)
        kept = KeptFeatures(policy, store) if isinstance(store, Blobs) else None
        return Local(policy, LocalSampler(policy, share_prefixes=True, kept=kept), journal=kept_replies)

    def answers(self, asked: Sequence[Asked], media: MediaReader, max_tokens: int) -> Iterator[list[tuple[int, Said]]]:
        """See `Speaker.answers`; replies of an earlier run come first."""
        batches = by_media(asked, self._batch)
        keys = [self._key([asked[place] for place in batch], max_tokens) for batch in batches]
        known = [self._known(key, len(batch)) for key, batch in zip(keys, batches, strict=True)]
        for batch, said in zip(batches, known, strict=True):
            if said:
                yield list(zip(batch, said, strict=True))

        def read(number: int) -> list[Prompt]:
            return self._policy.encode_all([asked[place][1] for place in batches[number]], media)

        began = time.monotonic()
        for number, prompts in _ahead(read, [number for number, said in enumerate(known) if not said]):
            made = self._ask(prompts, max_tokens)
            share = (time.monotonic() - began) / len(prompts)
            replies = [Said(seconds=share, **one) for one in made]
            if self._journal is not None:
                self._journal.put(keys[number], {"replies": [asdict(one) for one in replies]})
            yield list(zip(batches[number], replies, strict=True))
            began = time.monotonic()

    def about(self) -> dict[str, Any]:
        """Return which weights replied, where replies are kept."""
        return {"fingerprint": {"weights": self._weights[:16]}} if self._weights else {}

    def close(self) -> None:
        """Let the journal go."""
        if self._journal is not None:
            self._journal.close()

    def _ask(self, prompts: Sequence[Prompt], max_tokens: int) -> list[dict[str, Any]]:
        params = SamplingParams(max_tokens=max_tokens, temperature=0.0)
        turns = self._sampler.sample(prompts, n=1, params=params, streams=None)
        if len(turns) != len(prompts):
            raise WorkError(f"the sampler returned {len(turns)} replies to {len(prompts)} prompts: see its log")
        return [
            {"text": turn.text, "stop": turn.stop, "tokens": len(turn.ids), "prompt_tokens": len(prompt)}
            for prompt, (turn,) in zip(prompts, turns, strict=True)
        ]

    def _key(self, asked: Sequence[Asked], max_tokens: int) -> str:
        """Return the name of a batch in the journal; it covers all that the replies depend on."""
        if self._journal is None:
            return ""
        self._weights = self._weights or self._policy.fingerprint()
        told = [VERSION, self._weights, max_tokens, [[name, to_json(messages)] for name, messages in asked]]
        return hashlib.sha256(canonical(told).encode()).hexdigest()

    def _known(self, key: str, count: int) -> list[Said] | None:
        """Return the replies of a batch, None where they are not kept or the line is of another form."""
        line = None if self._journal is None else self._journal.get(key)
        try:
            found = [] if line is None else [Said(**one) for one in line["replies"]]
        except (KeyError, TypeError):
            return None
        return found if len(found) == count else None


def by_media(asked: Sequence[Asked], size: int, pixels: int = PIXELS) -> list[list[int]]:
    """Return places in batches: questions of the same media side by side, then those of one video.

    Questions of the same media are divided only where they alone are more than a batch. Otherwise the order is that of
    the first question of each.

    Args:
        asked: Questions.
        size: Most of them in a batch.
        pixels: Most pixels of different media in a batch.
    """
    videos: dict[tuple[str, ...], dict[tuple[Image | Clip, ...], list[int]]] = {}
    for place, (_, messages) in enumerate(asked):
        parts = tuple(part for message in messages for part in message.parts if not isinstance(part, Text))
        of_video = videos.setdefault(tuple(dict.fromkeys(part.video for part in parts)), {})
        of_video.setdefault(parts, []).append(place)
    batches: list[list[int]] = []
    left = room = 0
    for parts, places in (pair for of_video in videos.values() for pair in of_video.items()):
        cost = sum(_pixels(part) for part in parts)
        for start in range(0, len(places), size):
            run = places[start : start + size]
            if not batches or len(run) > left or cost > room:
                batches.append([])
                left, room = size, pixels
            batches[-1] += run
            left, room = left - len(run), room - cost
    return batches


def _pixels(part: Image | Clip) -> int:
    # Where the size is the video's own, that of a large frame as models see it.
    height, width = part.spec.size or (448, 448)
    return height * width * (len(part.times) if isinstance(part, Clip) else 1)


def _ahead(work: Callable[[Item], Made], items: Sequence[Item]) -> Iterator[tuple[Item, Made]]:
    """Yield each item with what was made of it, while a thread works on the next one."""
    with ThreadPoolExecutor(1) as pool:
        following = [(item, pool.submit(work, item)) for item in items[:1]]
        for place in range(1, len(items) + 1):
            item, made = following.pop()
            found = made.result()
            following += [(one, pool.submit(work, one)) for one in items[place : place + 1]]
            yield item, found
