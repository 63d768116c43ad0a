"""Load an export with a peer's own classes and compare what the model would be shown with our adapter.

    python scripts/peers/check.py verl            # builds .peers/verl, runs the check, writes docs/peers/verl.txt
    python scripts/peers/check.py trl --base .venv/lib/python3.11/site-packages

Two samples go through: a puzzle of clips and images, and a labelled question about one clip. Frame count, order, size
and visual tokens must be those of our adapter, and the peer's own call must score a right and a wrong reply. `--base`
adds packages that are installed elsewhere: the environment then holds only what differs. Exit 0 if all is as expected.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reelgym import tasks, world
from reelgym.data.dataset import Dataset, read_dataset
from reelgym.data.messages import Image, Message, Text
from reelgym.data.templates import with_instruction
from reelgym.models import load
from reelgym.models.tiny import ASSETS
from reelgym.synthesis import synthesize
from reelgym.synthesis.export import base, export, plan
from reelgym.synthesis.labelled import import_records
from reelgym.video import Store

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PIXELS = {"shortest_edge": 4 * 28 * 28, "longest_edge": 16384 * 28 * 28}
"""The budget of the published Qwen2.5-VL processors."""


def main() -> int:
    """Run one check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=sorted(path.stem for path in HERE.glob("*.txt")))
    parser.add_argument("--env", type=Path, help="the peer's virtual environment; made if it is not there")
    parser.add_argument("--base", type=Path, help="site-packages of another environment to share")
    given = parser.parse_args()
    peer = str(given.peer)
    python = environment(peer, given.env or ROOT / ".peers" / peer, given.base)
    with tempfile.TemporaryDirectory() as folder:
        prepare(peer, Path(folder))
        command = [str(python), str(HERE / f"with_{peer.replace('-', '_')}.py"), folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("peer:", "ok:", "FAULT:", "note:"))]
    lines += [] if done.returncode == 0 else ["FAULT: the script ended early", *done.stderr.splitlines()[-3:]]
    made = f"python scripts/peers/check.py {peer}, {datetime.date.today()}"
    text = "\n".join([made, *(line.replace(folder, "EXPORT") for line in lines)]) + "\n"
    good = not any(line.startswith("FAULT") for line in lines)
    if good:
        (ROOT / "docs" / "peers" / f"{peer}.txt").write_text(text, encoding="utf-8")
    print(text if good else text + done.stdout[-3000:] + done.stderr[-3000:])
    return 0 if good else 1


def environment(peer: str, folder: Path, shared: Path | None) -> Path:
    """Return the python of the peer's environment, made where it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "-r", str(HERE / f"{peer}.txt")]
        subprocess.run([*install, *(["--no-deps"] if shared else [])], check=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    # Appended to the search path, so that what the environment has itself comes first.
    (site / "reelgym_peer.pth").write_text("\n".join(map(str, filter(None, [ROOT / "src", shared]))) + "\n")
    return python


def prepare(peer: str, folder: Path) -> None:
    """Write videos, two datasets, their exports, a model folder, and what our adapter makes of them."""
    world.make(folder / "videos", count=2, seconds=(10.0, 12.0), side=112, kinds=["moving"])
    model = model_folder(folder / "model")
    expected = {"model": str(model), "cases": []}
    store = Store(folder / "store")
    for name, dataset in datasets(folder).items():
        media = dataset.media(store)
        out = folder / f"{name}-{peer}"
        planned = plan(dataset, media)
        made = export(dataset, media, out, peer=peer, planned=planned)
        suffix = base.get(peer).suffix
        expected["cases"].append(
            {"name": name, "export": str(out), "data": str(out / f"train.{suffix}")}
            | shown(dataset, str(model), store, as_images=made.manifest["clips_as_images"])
        )
    (folder / "expected.json").write_text(json.dumps(expected))


def datasets(folder: Path) -> dict[str, Dataset]:
    """Return a dataset of puzzles and one of labelled questions about the same videos."""
    videos = folder / "videos"
    synthesize([videos], folder / "puzzle", fps=2.0, per_video=1, workers=1, split="train")
    with (folder / "qa.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip", "question", "answer"])
        rows.writerows([path.name, "How many things move?", "3"] for path in sorted(videos.glob("*.mp4")))
    columns = "clip=video,question=question,answer=answer"
    import_records(folder / "qa.csv", folder / "question", videos=videos, columns=columns, split="train", workers=1)
    return {name: read_dataset(folder / name) for name in ("puzzle", "question")}


def model_folder(folder: Path) -> Path:
    """Return the embedded model with the published pixel budget: its tokenizer and template need no download."""
    shutil.copytree(ASSETS / "tiny", folder)
    for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | {"size": PIXELS}))
    # The name that releases before transformers 5 know as well.
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}))
    return folder


def shown(dataset: Dataset, model: str, store: Store, *, as_images: bool) -> dict[str, Any]:
    """Return what our adapter shows the model for the first sample, and a right and a wrong reply."""
    sample = dataset.samples[0]
    policy = load(model, device="cpu")
    messages = with_instruction(sample.messages, "tagged")
    if as_images:
        messages = tuple(Message(one.role, tuple(_images(one.parts))) for one in messages)
    prompt = policy.encode(messages, dataset.media(store))
    task = tasks.get(sample.task)
    gold = task.gold(sample)
    wrong = ", ".join(map(str, reversed(sample.answer))) if isinstance(sample.answer, list) else "4"
    counts = {kind: int((prompt.ids == policy.placeholder_ids[kind]).sum()) for kind in ("image", "video")}
    replies = {"right": f"<answer>{gold}</answer>", "wrong": f"<answer>{wrong}</answer>"}
    return {
        "tokens": counts,
        "grids": {kind: grid.tolist() for kind, grid in prompt.grids.items()},
        "replies": replies,
        "values": {name: task.score(reply, sample).value for name, reply in replies.items()},
    }


def _images(parts: Sequence[Any]) -> list[Any]:
    """Return parts with every clip as images after their times, as the export does it."""
    pieces: list[Any] = []
    for part in parts:
        if isinstance(part, Text | Image):
            pieces.append(part)
            continue
        for time in part.times:
            pieces += [Text(f"\n{time:.1f} s: "), Image(video=part.video, spec=part.spec, time=time)]
    return pieces


if __name__ == "__main__":
    sys.exit(main())
