"""Time an evaluation: 200 questions about 20 rendered videos, ours against a stand-in of lmms-eval's flow, by turns.

    python bench/eval_throughput.py    # --videos 20 --per-video 10 --tokens 16 --pairs 3 --threads 1

The stand-in takes questions one by one, as lmms-eval 0.7 does with batch 1: it opens and decodes the video again for
each (our reader, the very frames and size that ours shows), encodes the prompt again, runs the stock tower and the
stock text model over the whole prompt with transformers' own cache and attention, and writes greedily token by token.
Both arms hold the same weights in the same precision, bar the same tokens, and score the replies. It leaves out what
lmms-eval does beside (request objects, `generate`'s own bookkeeping, logging), so that the ratio is a low one.

Ours is what `reelgym eval` does with a local model, into a frame store and a journal that are empty in every round;
`warm` runs again with the frames and features of the round before. A reply that differs is one where the likeliest two
tokens are at most 1e-4 apart at the first token that differs; any other is an error (exit 1).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache

from reelgym import models, world
from reelgym.data import templates
from reelgym.data.dataset import Dataset
from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.evaluation import benchmarks
from reelgym.evaluation.local import Local
from reelgym.evaluation.questions import build
from reelgym.evaluation.runner import evaluate, grade
from reelgym.models import attention
from reelgym.models.base import Policy
from reelgym.models.features import KeptFeatures
from reelgym.rollout.local import LocalSampler
from reelgym.rollout.paid import Journal
from reelgym.video import Store
from reelgym.video.decode import read_many

VARIANT = "direct"
TIE = 1e-4
"""Two likeliest logits no further apart than this may change places by rounding."""


@dataclass
class Round:
    """One pass over all questions: the tokens of every reply, and the seconds of its phases (in ours they overlap)."""

    replies: dict[str, list[int]] = field(default_factory=dict)
    margins: dict[str, list[float]] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the seconds of what is done inside to a phase."""
        began = time.perf_counter()
        yield
        self.phases[name] += time.perf_counter() - began

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Take wall and CPU seconds of what is done inside."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall, self.cpu = time.perf_counter() - wall, time.process_time() - cpu


def one_by_one(policy: Policy, dataset: Dataset, samples: Sequence[Sample], tokens: int) -> Round:
    """Return the round of the stand-in: batch 1, everything anew for every question."""
    found = Round()
    media = dataset.media(Store(tempfile.gettempdir()))
    with found.whole(), torch.inference_mode():
        for sample in samples:
            pixels: dict[Image | Clip, Any] = {}
            messages = templates.with_instruction(sample.messages, VARIANT)
            with found.phase("decode"):
                for part in (part for message in messages for part in message.parts if not isinstance(part, Text)):
                    (frames,) = read_many(str(media.paths[part.video]), [part.spec])
                    pixels[part] = frames.pick(part.times if isinstance(part, Clip) else (part.time,))
            with found.phase("encode"):
                prompt = policy.encode(messages, pixels.__getitem__)
            with found.phase("generate"):
                ids, margins = greedy(policy, prompt, tokens)
            with found.phase("score"):
                grade(sample, policy.decode(ids), tokens=len(ids))
            found.replies[sample.id], found.margins[sample.id] = ids, margins
    return found


def greedy(policy: Policy, prompt: Any, tokens: int) -> tuple[list[int], list[float]]:
    """Return the likeliest tokens, and by how much each led, from stock transformers and its cache."""
    cache, written, margins = DynamicCache(config=policy.model.config.get_text_config()), [], []
    features: Any = policy.features([prompt])
    ids, positions = prompt.ids[None], prompt.positions[:, None]
    for step in range(tokens):
        output = policy.hidden(ids, positions, features=features, past_key_values=cache, use_cache=True)
        logits = policy.logits(attention.states(output)[0, -1]).index_fill_(-1, policy.forbidden_ids, -torch.inf)
        first, second = logits.topk(2).values
        margins.append(float(first - second))
        written.append(int(logits.argmax()))
        if written[-1] in policy.eos_ids:
            break
        ids, features = torch.tensor([[written[-1]]]), None
        positions = torch.full((3, 1, 1), prompt.next_position + step)
    return written, margins


class Watched(LocalSampler):
    """Ours, with the tokens of every reply and the seconds of sampling noted."""

    found: Round

    def sample(self, prompts: Any, **how: Any) -> Any:
        """See `LocalSampler.sample`."""
        with self.found.phase("generate"):
            turns = super().sample(prompts, **how)
        for prompt, (turn,) in zip(prompts, turns, strict=True):
            self.found.replies[prompt.messages] = turn.ids.tolist()  # type: ignore[index]
        return turns


def together(policy: Policy, dataset: Dataset, samples: Sequence[Sample], tokens: int, folder: Path) -> Round:
    """Return the round of ours, with frames and features kept in `folder`."""
    found, store = Round(), Store(folder / "store")
    media, sampler = dataset.media(store), Watched(policy, share_prefixes=True, kept=KeptFeatures(policy, store))
    sampler.found = found
    watched = replace(policy)

    def read(part: Image | Clip) -> Any:
        with found.phase("decode"):
            return media(part)

    def encode(every: Sequence[Sequence[Message]], media: Any) -> Any:
        with found.phase("encode"):
            return policy.encode_all(every, media)

    watched.encode_all = encode  # type: ignore[method-assign]
    with found.whole(), tempfile.TemporaryDirectory() as replies:
        who = Local(watched, sampler, journal=Journal(Path(replies, "asked.jsonl")))
        evaluate(who, samples, read, variant=VARIANT, max_tokens=tokens)
        who.close()
    found.phases["encode"] -= found.phases["decode"]
    named = {templates.with_instruction(sample.messages, VARIANT): sample.id for sample in samples}
    found.replies = {named[messages]: ids for messages, ids in found.replies.items()}  # type: ignore[index]
    return found


def compared(theirs: Round, ours: Round) -> tuple[int, int]:
    """Return how many replies are the same and how many differ by a tie; others end the program."""
    ties = 0
    for name, ids in theirs.replies.items():
        mine = ours.replies[name]
        parted = next((place for place, (a, b) in enumerate(zip(ids, mine, strict=False)) if a != b), None)
        if parted is None and len(ids) == len(mine):
            continue
        if parted is None or theirs.margins[name][parted] > TIE:
            sys.exit(f"{name}: replies differ, {ids} and {mine}: the arms do not compute the same")
        ties += 1
    return len(theirs.replies) - ties, ties


def questions(videos: Path, folder: Path, count: int, each: int) -> tuple[Dataset, list[Sample]]:
    """Return `each` questions about each of `count` videos: the world's, asked again in other words if too few."""
    dataset = build(benchmarks.get("world"), videos, videos, folder, workers=1)
    of_video: dict[str, list[Sample]] = defaultdict(list)
    for sample in dataset.samples:
        of_video[sample.source].append(sample)
    chosen = []
    for own in list(of_video.values())[:count]:
        for number in range(each):
            sample = own[number % len(own)]
            *before, last = sample.messages[0].parts
            assert isinstance(last, Text)
            again = f"\nOnce more ({number // len(own)})." if number >= len(own) else ""
            words = Message("user", (*before, Text(f"{again}{last.text}")))
            chosen.append(replace(sample, id=f"{sample.id}/{number}", messages=(words,)))
    return dataset, chosen


def stock(policy: Policy) -> Policy:
    """Return the policy with transformers' own attention in the tower; ours is a faster form of the same."""
    policy.model.model.visual.config._attn_implementation = "sdpa"
    return policy


def printed(name: str, rounds: Sequence[Round]) -> None:
    """Print the median seconds of a round and of its phases."""
    wall, cpu = (statistics.median(getattr(one, kind) for one in rounds) for kind in ("wall", "cpu"))
    phases = {phase: statistics.median(one.phases[phase] for one in rounds) for phase in rounds[0].phases}
    told = ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in phases.items())
    print(f"{name:9s} {wall:7.2f} s wall, {cpu:7.2f} s CPU: {told}")


def main() -> None:
    """Make the questions, run both arms by turns, print seconds, ratios and how replies compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("videos", 20), ("per-video", 10), ("tokens", 16), ("pairs", 3), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--model", default="tiny", help="as for `reelgym eval`")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    theirs, ours = stock(models.load(asked.model)), models.load(asked.model)
    rounds: dict[str, list[Round]] = {"stand-in": [], "ours": [], "warm": []}
    with tempfile.TemporaryDirectory() as folder:
        world.make(Path(folder, "videos"), count=asked.videos, split="test", workers=1)
        dataset, samples = questions(Path(folder, "videos"), Path(folder, "set"), asked.videos, asked.per_video)
        one_by_one(theirs, dataset, samples[:2], asked.tokens)
        together(ours, dataset, samples[:2], asked.tokens, Path(folder, "first"))
        for pair in range(asked.pairs):
            kept = Path(folder, f"round-{pair}")
            for arm in ("stand-in", "ours") if pair % 2 else ("ours", "stand-in"):
                if arm == "ours":
                    rounds[arm].append(together(ours, dataset, samples, asked.tokens, kept))
                else:
                    rounds[arm].append(one_by_one(theirs, dataset, samples, asked.tokens))
            rounds["warm"].append(together(ours, dataset, samples, asked.tokens, kept))
            same = compared(rounds["stand-in"][-1], rounds["ours"][-1])
            compared(rounds["stand-in"][-1], rounds["warm"][-1])
            print(f"pair {pair}: {same[0]} replies the same, {same[1]} differ at a tie", flush=True)
    written = sum(map(len, rounds["ours"][0].replies.values())) / len(samples)
    print(f"{len(samples)} questions about {asked.videos} videos, {written:.1f} tokens written to each")
    for name, found in rounds.items():
        printed(name, found)
    for name in ("ours", "warm"):
        for kind in ("wall", "cpu"):
            pairs = zip(rounds["stand-in"], rounds[name], strict=True)
            ratios = sorted(getattr(a, kind) / getattr(b, kind) for a, b in pairs)
            print(
                f"{name}: {statistics.median(ratios):.1f} times as fast by {kind} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
            )


if __name__ == "__main__":
    main()
