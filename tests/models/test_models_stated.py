"""Processor folders in every form they are published in; each number that differs from ours is an error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reelgym import models
from reelgym.errors import RequestError
from reelgym.models import stated, tiny
from reelgym.models.base import Policy

# Form, key order and numbers of the released files (Qwen2.5-VL-7B-Instruct and Qwen3-VL-8B-Instruct, 2025).
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
SIZES = {"temporal_patch_size": 2, "merge_size": 2}
RELEASED: dict[str, dict[str, dict[str, Any]]] = {
    "qwen2_5_vl": {
        "preprocessor_config.json": {
            "min_pixels": 3136,
            "max_pixels": 12845056,
            "patch_size": 14,
            **SIZES,
            **CLIP,
            "image_processor_type": "Qwen2VLImageProcessor",
            "processor_class": "Qwen2_5_VLProcessor",
        }
    },
    "qwen3_vl": {
        "preprocessor_config.json": {
            "size": {"longest_edge": 16777216, "shortest_edge": 65536},
            "patch_size": 16,
            **SIZES,
            **HALF,
            "do_pad": None,
            "processor_class": "Qwen3VLProcessor",
            "image_processor_type": "Qwen2VLImageProcessorFast",
        },
        "video_preprocessor_config.json": {
            "size": {"longest_edge": 25165824, "shortest_edge": 4096},
            "patch_size": 16,
            **SIZES,
            **HALF,
            "processor_class": "Qwen3VLProcessor",
            "video_processor_type": "Qwen3VLVideoProcessor",
        },
    },
}
LIMITS = {"qwen2_5_vl": (3136, 12845056, 4 * 784, 768 * 784), "qwen3_vl": (65536, 16777216, 4096, 25165824)}


@pytest.fixture(scope="module")
def saved(policies: dict[str, Policy], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("stated")
    for family, policy in policies.items():
        policy.save(root / family)
    return {family: root / family for family in policies}


@pytest.fixture
def released(policy: Policy, saved: dict[str, Path], tmp_path: Path) -> Path:
    """A folder of tiny random weights with the processor files of the release."""
    folder = Path(shutil.copytree(saved[policy.family.name], tmp_path / "released"))
    for file in ("preprocessor_config.json", "video_preprocessor_config.json"):
        (folder / file).unlink()
    for file, content in RELEASED[policy.family.name].items():
        (folder / file).write_text(json.dumps(content, indent=4))
    return folder


def limits(policy: Policy) -> tuple[int, int, int, int]:
    found = policy.sizing
    return found.image_min_pixels, found.image_max_pixels, found.video_min_pixels, found.video_max_pixels


def test_released_files_are_read_as_they_are_published(policy: Policy, released: Path) -> None:
    assert limits(models.load(released)) == LIMITS[policy.family.name]


def test_one_file_as_transformers_5_saves_it_says_the_same(policy: Policy, released: Path) -> None:
    inside: dict[str, Any] = {"processor_class": "any"}
    rest = {"do_resize": True, "do_rescale": True, "do_normalize": True, "do_convert_rgb": True, "resample": 3}
    for kind, file in stated.FILES.items():
        path = released / file
        if path.is_file():
            inside[f"{kind}_processor"] = json.loads(path.read_text()) | rest | {"rescale_factor": 0.00392156862745098}
            path.unlink()
    (released / "processor_config.json").write_text(json.dumps(inside))
    assert limits(models.load(released)) == LIMITS[policy.family.name]
    inside["image_processor"]["patch_size"] = 15
    (released / "processor_config.json").write_text(json.dumps(inside))
    with pytest.raises(RequestError, match=r"states patch_size=15, and qwen\w+ is read with 1[46]"):
        models.load(released)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patch_size", 12),
        ("merge_size", 1),
        ("temporal_patch_size", 1),
        ("image_mean", [0.485, 0.456, 0.406]),
        ("image_std", [0.229, 0.224, 0.225]),
        ("rescale_factor", 1 / 127.5),
        ("resample", 2),
        ("do_normalize", False),
        ("do_convert_rgb", False),
        ("image_processor_type", "SiglipImageProcessor"),
    ],
)
def test_every_number_that_files_set_and_we_also_set_is_compared(released: Path, name: str, value: object) -> None:
    path = released / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    with pytest.raises(RequestError, match=rf"preprocessor_config.json (states {name}|names Siglip).*published with"):
        models.load(released)


def test_limits_that_contradict_each_other_are_refused(released: Path) -> None:
    path = released / "preprocessor_config.json"
    given = json.loads(path.read_text())
    path.write_text(json.dumps(given | {"max_pixels": 1003520, "size": {"longest_edge": 50176}}))
    with pytest.raises(RequestError, match="states max_pixels=1003520 and 50176 under size: delete the wrong one"):
        models.load(released)
    path.write_text(json.dumps(given))
    (released / "processor_config.json").write_text(json.dumps({"image_processor": {"max_pixels": 50176}}))
    with pytest.raises(RequestError, match=r"states max_pixels=\d+ and processor_config.json 50176"):
        models.load(released)


def test_the_processors_template_goes_before_the_tokenizers(policy: Policy, released: Path) -> None:
    text = (released / "chat_template.jinja").read_text()
    (released / "chat_template.jinja").unlink()
    path = released / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": text + "!"}))
    assert models.load(released).tokenizer.chat_template == text + "!"
    (released / "chat_template.json").write_text(json.dumps({"chat_template": text}))
    assert models.load(released).tokenizer.chat_template == text


def test_the_packaged_folder_states_what_we_set() -> None:
    family = tiny.FAMILIES["qwen2_5_vl"]()
    found = stated.read(str(tiny.ASSETS / "tiny"))
    assert stated.differences(family, found, object()) == []


def test_rates_of_whole_videos_are_told_and_not_followed_and_impossible_ones_are_an_error(released: Path) -> None:
    path = released / "video_preprocessor_config.json"
    plain = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(plain | {"fps": 2, "min_frames": 4, "max_frames": 768, "num_frames": None}))
    models.load(released)
    assert stated.rates(stated.read(str(released))) == {"fps": 2, "min_frames": 4, "max_frames": 768}
    for wrong in ({"fps": 0}, {"min_frames": 9, "max_frames": 8}):
        path.write_text(json.dumps(plain | wrong))
        with pytest.raises(RequestError, match=r"video_preprocessor_config.json states .*, which no video meets"):
            models.load(released)
