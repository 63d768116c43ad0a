"""The model card: what the folder is, what it was made from, how it was checked, what it scored."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from reelgym import __version__
from reelgym.errors import RequestError
from reelgym.publishing import retention
from reelgym.publishing.folder import Published

LICENCES = {
    "tiny": "apache-2.0",
    "tiny-qwen3": "apache-2.0",
    "tiny-internvl": "apache-2.0",
    "tiny-smolvlm": "apache-2.0",
    "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": "apache-2.0",
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": "apache-2.0",
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": "apache-2.0",
    "Qwen/Qwen2.5-VL-7B-Instruct": "apache-2.0",
    "Qwen/Qwen2.5-VL-32B-Instruct": "apache-2.0",
    "Qwen/Qwen3-VL-2B-Instruct": "apache-2.0",
    "Qwen/Qwen3-VL-4B-Instruct": "apache-2.0",
    "Qwen/Qwen3-VL-8B-Instruct": "apache-2.0",
    "Qwen/Qwen3-VL-32B-Instruct": "apache-2.0",
    "Qwen/Qwen2.5-VL-3B-Instruct": "qwen-research",
    "Qwen/Qwen2.5-VL-72B-Instruct": "qwen",
}
"""As their pages stated them in 2026; only the base's own files bind. `qwen-research` forbids commercial use."""

KNOWN_TO_HUB = frozenset({"apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "llama3", "gemma"})
"""Identifiers that may stand alone in a card's header; any other goes under `other` with its name."""


def licence_of(base: str) -> str:
    """Return the licence of a base model: what its folder says, else what is known of its name; empty if nothing is."""
    readme = Path(base, "README.md")
    if base and readme.is_file():
        header = readme.read_text(encoding="utf-8", errors="replace").partition("\n---")[0]
        for key in ("license_name", "license"):
            if found := re.search(rf"^{key}:\s*(\S+)\s*$", header, re.MULTILINE):
                return found[1]
    return LICENCES.get(base, "")


def write(
    published: Published, run: Path, *, licence: str = "", evaluations: Sequence[Path] = (), name: str = ""
) -> Path:
    """Write README.md into the published folder and return its path.

    Args:
        published: What was written and measured.
        run: The run's folder.
        licence: Of the base, where its files do not tell.
        evaluations: Folders of `reelgym eval`, shown as they are stored.
        name: The title; the folder's name where empty.
    """
    told = licence or licence_of(published.base)
    config = _read(run / "config.json")
    parts = [
        _header(published, told),
        f"# {name or published.folder.name}",
        _what(published, config, told),
        _scores(run, evaluations),
        _kept(published),
        _serving(published),
        _checks(published),
        _settings(config, _read(run / "versions.json")),
    ]
    path = published.folder / "README.md"
    path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return path


def _header(published: Published, licence: str) -> str:
    base = published.base
    hub = re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", base) is not None and not Path(base).exists()
    lines = ["---", "library_name: transformers", "pipeline_tag: video-text-to-text"]
    if licence in KNOWN_TO_HUB:
        lines.append(f"license: {licence}")
    else:
        lines += ["license: other", f"license_name: {licence or 'unknown'}"]
    lines += [f"base_model: {base}"] if hub else []
    return "\n".join([*lines, "tags:", "- video", "- reelgym", "---"])


def _what(published: Published, config: Mapping[str, Any], licence: str) -> str:
    data = config.get("data") or {}
    kind = {"RLRun": "reinforcement learning", "SFTRun": "supervised fine-tuning"}.get(
        str(config.get("type")), "training"
    )
    origin = config.get("origin") or {}
    recipe = f", recipe `{origin['recipe']}`" if isinstance(origin.get("recipe"), str) else ""
    method = f"LoRA folded into {published.layers} layers in float32" if published.layers else "all trained weights"
    rows = [
        ("Base model", f"`{published.base or 'unknown'}`"),
        ("Licence of the base, which binds this model too", licence or "unknown: look it up before sharing"),
        (
            "Trained by",
            f"{kind}{recipe}, with Reelgym {__version__}; {method}; checkpoint `{published.checkpoint.name}`",
        ),
        ("Data", f"{data.get('items', 'unknown')} samples, content digest `{data.get('digest', 'unknown')}`"),
        ("Prompt", f"instruction `{config['variant']}`" if config.get("variant") else "as in the training examples"),
    ]
    return _table(("", ""), rows)


def _scores(run: Path, evaluations: Sequence[Path]) -> str:
    lines = []
    best = _read(run / "checkpoints" / "best.json")
    if best:
        untrained = "not measured" if best.get("untrained") is None else f"{best['untrained']:.4g}"
        lines.append(
            f"While training, on held-out samples (`{best.get('metric')}`, greedy): {untrained} before, "
            f"{best.get('value', float('nan')):.4g} after. The checkpoint was chosen by this number."
        )
    for folder in evaluations:
        found = _read(folder / "results.json").get("evaluations")
        if not isinstance(found, dict):
            raise RequestError(f"{folder} holds no results.json of reelgym eval: give the folder of an evaluation")
        rows = [(key, *_score(one)) for key, one in found.items()]
        columns = ("Evaluation", "Model", "Score, 95%", "Chance", "Invalid", "Questions", "Videos")
        lines.append(
            f"`{folder.name}`; rows `floor-*` need no model, those behind a dash are probes:\n\n{_table(columns, rows)}"
        )
    if not lines:
        lines.append("Not evaluated: no number is claimed. `reelgym eval DATASET --model ...` makes some.")
    return "## Before and after\n\n" + "\n\n".join(lines)


def _score(one: Mapping[str, Any]) -> tuple[str, ...]:
    value = one["scores"]["value"]
    limits = value.get("low"), value.get("high")
    spread = f" ({limits[0]:.3f} to {limits[1]:.3f})" if None not in limits else ""
    chance = value.get("chance")
    invalid = one.get("invalid_rate", {}).get("mean")
    return (
        str(one["model"] or "none") + (f", probe {one['probe']}" if one.get("probe") else ""),
        f"{value['mean']:.3f}{spread}",
        "" if chance is None else f"{chance:.3f}",
        "" if invalid is None else f"{invalid:.3f}",
        str(one["rows"]),
        str(one["videos"]),
    )


def _kept(published: Published) -> str:
    before, after = published.before, published.after
    lines = [
        "## Ordinary questions",
        f"{len(retention.TEXT)} questions of text that no puzzle asks and {len(retention.DRAWN)} numbers read off a "
        "picture, greedy: too few to rank models, enough to show that something broke.",
        _table(("", "Right"), [("Base", before.told() if before else "not at hand"), ("This model", after.told())]),
    ]
    if before:
        same = sum(one == other for one, other in zip(before.replies, after.replies, strict=True))
        lines.append(f"{same} of {len(after.right)} replies are the same, letter by letter.")
    return "\n\n".join(lines)


def _serving(published: Published) -> str:
    version = metadata.version("transformers")
    clips = (
        "places clips as in training"
        if published.clips_as_trained
        else "places what follows a clip differently from training: hand it Reelgym's `position_ids` with video"
    )
    flat = published.position_rule.endswith(":in-order")
    rule = "one token after the other" if flat else "every block starts at the largest position so far plus one"
    vllm = "not compared with training" if flat else "the same rule by its source, not run here"
    return "\n\n".join(
        [
            "## Serving it as it was trained",
            f"Position rule: `{published.position_rule}` ({rule}).",
            _table(
                ("Served by", "Text and images", "Video"),
                [
                    (f"transformers {version}, measured here", "as in training", clips),
                    ("vLLM", vllm, vllm),
                    ("Reelgym", "as in training", "as in training"),
                ],
            ),
            f'`reelgym ask clip.mp4 "What happens?" --model {published.folder.name}`',
        ]
    )


def _checks(published: Published) -> str:
    rows = []
    if published.merging is not None:
        rows.append(("adapter beside the weights and folded in, float32", f"{published.merging:.1e}"))
    rows += [
        ("float32 and the 16-bit weights of this folder", f"{published.rounding:.1e}"),
        ("stock transformers and Reelgym, both on this folder", f"{published.stock:.1e}"),
    ]
    return "## Checked\n\n" + _table(("Largest difference of a token's log-prob between", "nats"), rows)


def _settings(config: Mapping[str, Any], versions: Mapping[str, Any]) -> str:
    if not config:
        return ""
    shown = {key: value for key, value in config.items() if key != "origin"}
    told = ", ".join(f"{name} {value}" for name, value in versions.items() if name != "machine")
    return f"## Settings\n\n{told}\n\n```json\n{json.dumps(shown, indent=1, sort_keys=True)}\n```"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(columns), line(["---"] * len(columns)), *map(line, rows)])


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
