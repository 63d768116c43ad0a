"""Folders to look through: a dataset of any number of samples of one tiny video, a run and an evaluation of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import page_example
import pyarrow as pa
import pyarrow.parquet as pq

from reelgym.data.dataset import Source, read_dataset, write_dataset
from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.evaluation import results
from reelgym.evaluation.runner import grade
from reelgym.training.rollouts import SCHEMA
from reelgym.video import FrameSpec, probe, write_mp4

HOSTILE = page_example.HOSTILE
SPEC = FrameSpec(fps=2.0, size=(28, 28))


def puzzle(number: int, source: str) -> Sample:
    """Return sample `number`: every fourth is a labelled question, every tenth is solved by a shortcut."""
    split = "test" if number % 5 == 0 else "train"
    audit = {"chance": 0.016667, "values": {"by_noise": 1.0 if number % 10 == 0 else 0.25, "first": 0.125}}
    told: dict[str, Any] = {"source": source, "audit": audit, "index": number}
    if number % 4 == 3:
        clip = Clip(video=source, spec=SPEC, times=(0.0, 0.5, 1.0), shown_seconds=(7.0, 7.5, 8.0))
        words = f"What colour is it?\nA. red {HOSTILE}\nB. blue\nQuestion {number}."
        messages = (Message("user", (clip, Text(words))),)
        evidence = {"kind": "choice", "options": ["red", "blue"]}
        return Sample(
            id=f"labelled-{number:05d}",
            task="labelled",
            messages=messages,
            answer="B",
            split=split,
            evidence=evidence,
            provenance=told,
        )
    parts = (
        Text("Before the gap:\n"),
        Clip(video=source, spec=SPEC, times=(0.0, 0.5)),
        Text("\nAfter the gap:\n"),
        Clip(video=source, spec=SPEC, times=(2.5, 3.0)),
        Text("\nWhich 2 of these 3 candidates fill the gap, in time order?"),
        *(
            part
            for place, time in enumerate((2.0, 1.0, 1.5), 1)
            for part in (Text(f"\nCandidate {place}: "), Image(video=source, spec=SPEC, time=time))
        ),
    )
    facets = {"hidden": 2, "level": number % 3} | ({"static": 1, "shortcut": 1} if number % 10 == 0 else {})
    return Sample(
        id=f"mvp-{split}-{number:05d}",
        task="mvp",
        messages=(Message("user", parts),),
        answer=[2, 3],
        split=split,
        evidence={"pool": 3, "reward": "smooth"},
        facets=facets,
        provenance=told,
    )


def dataset(folder: Path, count: int) -> Path:
    """Write a dataset of `count` samples and two quarantined files, with hostile text wherever a file can bring it."""
    videos = folder / "videos"
    videos.mkdir(parents=True)
    name = "clip <b>one.mp4"
    frames = (np.repeat(np.repeat(page_example.frame(t / 4, 20, 28), 2, 0), 2, 1) for t in range(16))
    write_mp4(str(videos / name), frames, 4)
    video = probe(str(videos / name))
    source = Source(
        identity=video.identity,
        path=name,
        split="train",
        size_bytes=video.size_bytes,
        duration_seconds=video.duration_seconds,
        height=56,
        width=56,
        frame_rate=4.0,
        codec=video.codec,
    )
    lines = [
        {"path": f"bad/{HOSTILE}.mp4", "boundary": "open", "reason": "the file is empty (0 bytes)"},
        {"path": "bad/other.mp4", "boundary": "decode", "reason": f"cannot be read: {HOSTILE}"},
    ]
    manifest = {"media_root": str(videos), "seed": 0, "tasks": {}}
    write_dataset(folder / "data", [puzzle(n, video.identity) for n in range(count)], [source], lines, manifest)
    return folder / "data"


def evaluation(folder: Path, data: Path) -> Path:
    """Write an evaluation of three sets of replies to a dataset's test samples, with a right, a wrong and an unreadable
    one in each."""
    found = read_dataset(data)
    texts = ["<think>why</think><answer>2, 3</answer>", "<answer>3, 1</answer>", f"no answer {HOSTILE}"]
    asked = [sample for sample in found.split("test") if sample.task == "mvp"][:3]
    rows = tuple(grade(sample, text, tokens=5) for sample, text in zip(asked, texts, strict=True))
    settings = {"dataset": found.digest, "dataset_path": str(data)}
    one = results.Evaluation(
        model="m", position_rule="qwen", variant="tagged", probe=None, max_tokens=9, rows=rows, settings=settings
    )
    blind = replace(one, probe="blind", rows=tuple(grade(sample, "nothing", tokens=5) for sample in asked))
    floor = replace(one, variant="none", rows=tuple(grade(sample, "1, 2") for sample in asked))
    return results.write(folder, {"tagged": one, "tagged-blind": blind, "floor-first": floor})


def run(folder: Path, data: Path, steps: int) -> Path:
    """Write a run of some steps, two samples each, two rollouts each; the second sample's are alike."""
    folder.mkdir(parents=True)
    origin = {"recipe": "mvp", "settings": {}, "datasets": [str(data)]}
    (folder / "config.json").write_text(json.dumps({"type": "RLRun", "policy": "tiny", "origin": origin}))
    (folder / "metrics.jsonl").write_text("")
    grow(folder, data, range(1, steps + 1))
    return folder


def grow(folder: Path, data: Path, steps: range) -> None:
    """Add steps to a run: a line of metrics each, and one file of rollouts."""
    asked = [sample for sample in read_dataset(data).samples if sample.task == "mvp"][:2]
    with (folder / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps({"step": step, "rewards/score": step / 10}) + "\n" for step in steps)
    rows = [
        {
            "step": step,
            "sample": sample.id,
            "member": member,
            "text": f"<think>step {step}</think><answer>{'2, 3' if alike or member else '9'}</answer>",
            "stop": "eos" if step % 2 else "length",
            "ids": [1, 2],
            "logprobs": [0.0, 0.0],
            "loss_mask": [True, True],
            "segments": [{"name": "think", "start": 0, "stop": 1}, {"name": "answer", "start": 1, "stop": 2}],
            "rewards": json.dumps({"accuracy": {"answer": 1.0}, "score": {"answer": float(alike or member)}}),
            "advantages": [0.5, -0.5],
            "errors": [],
        }
        for step in steps
        for alike, sample in enumerate(asked)
        for member in range(2)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / f"rollouts-{steps[-1]:06d}.parquet")
