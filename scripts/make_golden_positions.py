"""Write tests/models/golden/positions.json: the positions of text, image, video and mixed prompts, one token at a time.

`PYTHONPATH=src:tests/models python scripts/make_golden_positions.py`. The rule is spelled out here a second time, as
plain loops over the tokens of a prompt, and shares nothing with `reelgym.models.positions`: a change of either shows.
"""

from __future__ import annotations

import json
from pathlib import Path

from model_prompts import FORMS, media, messages

from reelgym.data.messages import Clip, Message
from reelgym.models import tiny
from reelgym.models.base import Policy, Prompt

OUT = Path(__file__).parents[1] / "tests" / "models" / "golden" / "positions.json"


def positions(ids: list[int], pads: dict[int, list[tuple[int, int, int, float]]]) -> list[list[int]]:
    """Return one [time, row, column] per id.

    `pads` holds, for each placeholder id, its grids in tokens with the positions between their temporal steps.
    """
    queues = {pad: list(grids) for pad, grids in pads.items()}
    found: list[list[int]] = []
    largest = -1
    at = 0
    while at < len(ids):
        if ids[at] not in queues:
            largest += 1
            found.append([largest] * 3)
            at += 1
            continue
        steps, rows, columns, interval = queues[ids[at]].pop(0)
        start = largest + 1
        for step in range(steps):
            for row in range(rows):
                for column in range(columns):
                    found.append([start + int(step * interval), start + row, start + column])
                    largest = max(largest, *found[-1])
                    at += 1
    return found


def grids(policy: Policy, prompt: Prompt, turns: tuple[Message, ...]) -> dict[int, list[tuple[int, int, int, float]]]:
    """Return what `positions` needs, from the prompt's patch grids and the clips' times."""
    clips = [part for message in turns for part in message.parts if isinstance(part, Clip)]
    image = [(1, h // 2, w // 2, 1.0) for _, h, w in prompt.grids["image"].tolist()] if "image" in prompt.grids else []
    video = []
    for clip, (t, h, w) in zip(clips, prompt.grids["video"].tolist() if clips else [], strict=True):
        if policy.family.name == "qwen3_vl":
            video += [(1, h // 2, w // 2, 1.0)] * t
        else:
            seconds = (clip.times[-1] - clip.times[0]) / (len(clip.times) - 1)
            video.append((t, h // 2, w // 2, 2 * seconds * 2))
    return {policy.placeholder_ids["image"]: image, policy.placeholder_ids["video"]: video}


def main() -> None:
    """Write the file."""
    golden: dict[str, dict[str, list[list[int]]]] = {}
    for family in tiny.FAMILIES:
        policy = tiny.build(family)
        golden[family] = {}
        for form in FORMS:
            prompt = policy.encode(messages(form), media(policy, 2))
            placed = positions(prompt.ids.tolist(), grids(policy, prompt, messages(form)))
            golden[family][form] = [list(axis) for axis in zip(*placed, strict=True)]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    forms = {
        family: ",\n".join(f'  "{name}": {json.dumps(axes)}' for name, axes in found.items())
        for family, found in golden.items()
    }
    OUT.write_text("{\n" + ",\n".join(f' "{family}": {{\n{text}\n }}' for family, text in forms.items()) + "\n}\n")


if __name__ == "__main__":
    main()
