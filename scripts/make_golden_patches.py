"""Write tests/models/golden/video_patches.json: what the official video processors make of small clips.

`PYTHONPATH=src:tests/models python scripts/make_golden_patches.py`, on a machine with torchvision (the processors need
it; Reelgym does not). Kept: the grid, and every 3989th value. The file says which versions made it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import torchvision
import transformers
from model_prompts import triangle_wave

from reelgym.models.tiny import FAMILIES

OUT = Path(__file__).parents[1] / "tests" / "models" / "golden" / "video_patches.json"
STRIDE = 3989
CLIPS = {
    "qwen2_5_vl": [(4, 280, 392), (3, 100, 150), (5, 30, 200), (2, 240, 320), (1, 64, 64)],
    "qwen3_vl": [(4, 64, 96), (3, 100, 150), (5, 30, 200), (2, 240, 320), (6, 33, 47)],
}


def main() -> None:
    """Write the file."""
    cases = []
    for name, clips in CLIPS.items():
        family = FAMILIES[name]()
        budget = {"shortest_edge": family.sizing.video_min_pixels, "longest_edge": family.sizing.video_max_pixels}
        processor = getattr(transformers, family.preprocessors["video"])(
            size=budget, do_sample_frames=False, cap_pixels_per_frame=True
        )
        for frames, height, width in clips:
            clip = np.stack([triangle_wave(height, width, phase=40 * k) for k in range(frames)])
            video = torch.from_numpy(clip).permute(0, 3, 1, 2)
            made = processor(videos=[video], return_tensors="pt", input_data_format="channels_first")
            values = made["pixel_values_videos"].flatten()[::STRIDE].tolist()
            grid = made["video_grid_thw"][0].tolist()
            kept = [round(value, 6) for value in values]
            cases.append({"family": name, "clip": [frames, height, width], "grid": grid, "values": kept})
    versions = {"transformers": transformers.__version__, "torchvision": torchvision.__version__}
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(f'{{\n "versions": {json.dumps(versions)},\n "stride": {STRIDE},\n "cases": [\n{lines}\n ]\n}}\n')


if __name__ == "__main__":
    main()
