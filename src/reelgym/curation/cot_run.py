"""A run that writes chains of thought: its folder, what it costs, and the dataset that comes of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reelgym.curation.cot import STEPS, Chain, ChainWriter, CotConfig, Progress
from reelgym.data.dataset import Dataset, read_manifest, write_dataset
from reelgym.data.files import make_folder, replacing
from reelgym.data.messages import Clip, Image, Text
from reelgym.data.sample import Sample
from reelgym.data.settings import refuse_changes
from reelgym.errors import RequestError, WorkError
from reelgym.judges.endpoint import SUFFICIENCY, question_of
from reelgym.rollout.chat import Chat, Endpoint, Spent, merged
from reelgym.rollout.chat_form import Pixels
from reelgym.rollout.paid import Journal

PAID = "paid.jsonl"
"""Every reply that came; kept with the dataset."""
VERDICTS = "verdicts.jsonl"
"""Every sample with its reply and the checks it passed or failed."""
REJECTS = "rejects.md"
"""The rejected ones, to be read."""

LETTERS_PER_TOKEN = 4
PIXELS_PER_TOKEN = 28 * 28
CHAIN_TOKENS = (300, 600, 1200)
VERDICT_TOKENS = (60, 150, 300)
"""Low, likely and high lengths in tokens that an estimate goes by. Ours; tokenizers differ."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a run made.

    Attributes:
        path: The dataset folder.
        counts: samples, kept, and what every step rejected by kind.
        steps: By step: seen, passed, and by requests what they cost.
        digest: Of the dataset.
        fresh: False where it was finished before.
        in_doubt: Requests that were in flight when an earlier run was killed.
        adapted: Parameters that an endpoint refused, and what replaced them.
    """

    path: Path
    counts: dict[str, int]
    steps: dict[str, dict[str, Any]]
    digest: str
    fresh: bool
    in_doubt: int = 0
    adapted: dict[str, dict[str, str]] | None = None


def write_chains(
    dataset: Dataset,
    samples: Sequence[Sample],
    out: str | Path,
    *,
    endpoint: Endpoint,
    judge: Endpoint | None = None,
    config: CotConfig | None = None,
    pixels: Pixels | None = None,
    progress: Progress | None = None,
) -> Made:
    """Write and verify a chain of thought for every sample, and make a dataset of those that are kept.

    Repeat the call to resume it: no reply that came is asked for again. A kept sample holds its chain as
    `evidence.gold`, and what it passed as `provenance.cot`.

    Args:
        dataset: Where the samples come from.
        samples: Those to take, at least one.
        out: The dataset folder.
        endpoint: Who writes.
        judge: Who judges, by text alone; None is the same endpoint.
        config: The settings.
        pixels: Reads the samples' media.
        progress: Called with (samples done, samples in all).

    Raises:
        RequestError: Other settings than those the folder was begun with; a refused key or unknown model.
        WorkError: An endpoint that does not answer, samples that have no reply yet, or no sample that is kept.
    """
    config, judge, folder = config or CotConfig(), judge or endpoint, Path(out)
    settings = _settings(dataset, samples, endpoint, judge, config)
    if (folder / "dataset.json").exists():
        return _finished(folder, settings)
    make_folder(folder)
    with Journal(folder / PAID) as journal:
        _hold_settings(journal, folder, settings)
        generator = Chat(endpoint, journal, pixels)
        reader = Chat(judge, journal, stop=generator.stop)
        chains = ChainWriter(generator, reader, config).each(samples, progress)
        spent = merged([generator.spent, reader.spent])
        steps = _steps(chains, spent, {"generate": endpoint}, judge)
        _write_verdicts(folder, chains)
        counts = _counts(chains)
        pending = [chain for chain in chains if chain.is_pending]
        if pending:
            reason = pending[0].checks[-1].reason
            raise WorkError(f"{len(pending)} of {len(chains)} samples have no reply yet ({reason}): repeat the command")
        if not counts["kept"]:
            first = chains[0].checks[-1]
            raise WorkError(
                f"none of {len(chains)} chains was kept (the first: {first.kind}, {first.reason}): read "
                f"{folder / REJECTS}"
            )
        whole = _write_dataset(dataset, chains, folder, settings, (counts, steps))
        return Made(
            path=folder,
            counts=counts,
            steps=steps,
            digest=whole["digest"],
            fresh=True,
            in_doubt=generator.in_doubt,
            adapted={one.endpoint.model: one.adapted for one in (generator, reader) if one.adapted},
        )


def estimate(
    samples: Sequence[Sample], *, endpoint: Endpoint, judge: Endpoint | None = None, config: CotConfig | None = None
) -> dict[str, Any]:
    """Return what a run would ask and cost, as JSON values; nothing is asked.

    Every figure is [low, likely, high]. Prompts are counted by letters and pixels, replies by `CHAIN_TOKENS` and
    `VERDICT_TOKENS`; low keeps 30 percent of the chains for the judges, likely 70, high all of them.
    """
    config, judge = config or CotConfig(), judge or endpoint
    judges = config.sufficiency + config.blind
    found: dict[str, Any] = {"samples": len(samples), "requests": [], "prompt_tokens": [], "completion_tokens": []}
    found["money"] = []
    seen = sum(_prompt_tokens(sample) for sample in samples)
    asked = sum(len(question_of(sample)) + len(SUFFICIENCY) for sample in samples) / LETTERS_PER_TOKEN
    for share, chain, verdict in zip((0.3, 0.7, 1.0), CHAIN_TOKENS, VERDICT_TOKENS, strict=True):
        judged = judges * share
        written = len(samples) * chain
        read, said = judged * (asked + 0.5 * written), judged * len(samples) * verdict
        found["requests"].append(round(len(samples) * (1 + judged)))
        found["prompt_tokens"].append(round(seen + read))
        found["completion_tokens"].append(round(written + said))
        money = endpoint.cost(round(seen), round(written)) + judge.cost(round(read), round(said))
        found["money"].append(round(money, 4) if endpoint.price or judge.price else None)
    return found


def _prompt_tokens(sample: Sample) -> float:
    total = 0.0
    for message in sample.messages:
        for part in message.parts:
            if isinstance(part, Text):
                total += len(part.text) / LETTERS_PER_TOKEN
            elif isinstance(part, Image | Clip):
                height, width = part.spec.size or (448, 448)
                total += (len(part.times) if isinstance(part, Clip) else 1) * (height * width / PIXELS_PER_TOKEN + 8)
    return total


def _settings(
    dataset: Dataset, samples: Sequence[Sample], endpoint: Endpoint, judge: Endpoint, config: CotConfig
) -> dict[str, Any]:
    """Return what the result depends on; where an endpoint lies and how often it is asked is no part of it."""
    media = [endpoint.encoding, endpoint.quality, endpoint.clips]
    named = {"dataset": dataset.digest, "samples": len(samples), "model": endpoint.model, "judge": judge.model}
    return {**named, "media": media, **asdict(config)}


def _hold_settings(journal: Journal, folder: Path, settings: dict[str, Any]) -> None:
    """Refuse a folder that was begun with other settings; more samples than before are none."""
    before = (journal.get("settings") or {}).get("settings")
    if before is not None:
        _same({**before, "samples": 0}, {**settings, "samples": 0}, folder)
    if before != settings:
        journal.put("settings", {"settings": settings})


def _same(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    advice = f"choose another --out; a copy of its {PAID} there keeps the replies that still fit"
    refuse_changes(folder, before, now, "was begun", advice)


def _finished(folder: Path, settings: dict[str, Any]) -> Made:
    whole = read_manifest(folder)
    found = whole.get("settings", {}).get("cot")
    if found is None:
        raise RequestError(f"{folder} holds a dataset that `reelgym cot` did not make: choose another --out")
    _same(found, settings, folder)
    counts = whole["counts"]["cot"]
    return Made(path=folder, counts=counts, steps=whole["cot_steps"], digest=whole["digest"], fresh=False)


def _counts(chains: Sequence[Chain]) -> dict[str, int]:
    """Return samples, kept, and rejects by step and kind."""
    rejects = Counter(f"{c.checks[-1].step}: {c.checks[-1].kind}" for c in chains if not c.kept)
    return {"samples": len(chains), "kept": sum(chain.kept for chain in chains), **dict(sorted(rejects.items()))}


def _steps(
    chains: Sequence[Chain], spent: Mapping[str, Spent], writers: Mapping[str, Endpoint], judge: Endpoint
) -> dict[str, dict[str, Any]]:
    """Return, by step, samples seen and passed, tokens and money: what the result took in all, however often begun."""
    found: dict[str, dict[str, Any]] = {}
    for step in STEPS:
        checks = [check for chain in chains for check in chain.checks if check.step == step]
        costs = [spent[name] for name in (step, f"{step} again") if name in spent]
        read, written = sum(one.prompt_tokens for one in costs), sum(one.completion_tokens for one in costs)
        found[step] = {
            "seen": len(checks),
            "passed": sum(check.passed for check in checks),
            "requests": sum(one.requests for one in costs),
            "asked_now": sum(one.requests - one.cached for one in costs),
            "prompt_tokens": read,
            "completion_tokens": written,
            "money": writers.get(step, judge).cost(read, written),
        }
    return {step: row for step, row in found.items() if row["seen"]}


def _write_verdicts(folder: Path, chains: Sequence[Chain]) -> None:
    with replacing(folder / VERDICTS) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(chain.to_json(), sort_keys=True) + "\n" for chain in chains)
    rejected = [chain for chain in chains if not chain.kept]
    with replacing(folder / REJECTS) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f"# {len(rejected)} of {len(chains)} rejected\n")
        file.writelines(_reject(chain) for chain in rejected)


def _reject(chain: Chain) -> str:
    last = chain.checks[-1]
    shown = "\n".join(f"    {line}" for line in (question_of(chain.sample) + "\n\n" + chain.reply).splitlines())
    reason = " ".join(last.reason.split())
    return f"\n## {chain.sample.id}\n\n{last.step}: {last.kind}. {reason}\n\n{shown}\n"


def _write_dataset(
    dataset: Dataset,
    chains: Sequence[Chain],
    folder: Path,
    settings: dict[str, Any],
    told: tuple[dict[str, int], dict[str, dict[str, Any]]],
) -> dict[str, Any]:
    kept = [_kept(chain, settings) for chain in chains if chain.kept]
    used = {
        part.video for one in kept for message in one.messages for part in message.parts if not isinstance(part, Text)
    }
    used |= {one.source for one in kept}
    sources = [source for source in dataset.sources if source.identity in used]
    names = {sample.task for sample in kept}
    manifest = {
        "tasks": {name: about for name, about in dataset.manifest["tasks"].items() if name in names},
        "seed": dataset.manifest.get("seed", 0),
        "media_root": dataset.manifest.get("media_root", "."),
        "settings": {"cot": settings},
        "counts": {"cot": told[0]},
        "cot_steps": told[1],
    }
    return write_dataset(folder, kept, sources, (), manifest)


def _kept(chain: Chain, settings: Mapping[str, Any]) -> Sample:
    scores = {check.step: check.score for check in chain.checks if check.score is not None}
    about = {"model": settings["model"], "judge": settings["judge"], "variant": settings["variant"], "scores": scores}
    return replace(
        chain.sample,
        evidence=chain.sample.evidence | {"gold": chain.reply},
        provenance=chain.sample.provenance | {"cot": about},
    )
