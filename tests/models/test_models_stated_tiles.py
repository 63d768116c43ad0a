"""Processor folders of the families of tiles as they are published; each number that differs from ours is an error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reelgym import models
from reelgym.errors import RequestError
from reelgym.models import tiny
from reelgym.models.base import Policy

# Form and numbers of the released files (InternVL3-1B-hf and SmolVLM2-256M-Video-Instruct, 2025), their sides those of
# the tiny models: 56 for 448, 128 for 512, and 4 tokens a tile for 256 and 64.
COMMON = {"do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
RESCALE = {"rescale_factor": 0.00392156862745098}
INTERN = COMMON | IMAGENET | RESCALE | {"resample": 3, "size": {"height": 56, "width": 56}, "return_tensors": None}
SMOL = COMMON | HALF | RESCALE | {"resample": 1, "max_image_size": {"longest_edge": 128}, "do_pad": True}
SMOL |= {"video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 128}}}
RELEASED: dict[str, dict[str, dict[str, Any]]] = {
    "internvl": {
        "preprocessor_config.json": INTERN
        | {"crop_to_patches": False, "min_patches": 1, "max_patches": 12, "data_format": "channels_first"}
        | {"image_processor_type": "GotOcr2ImageProcessorFast", "processor_class": "InternVLProcessor"},
        "video_preprocessor_config.json": INTERN
        | {"video_processor_type": "InternVLVideoProcessor", "processor_class": "InternVLProcessor"},
        "processor_config.json": {"image_seq_length": 4, "processor_class": "InternVLProcessor"},
    },
    "smolvlm": {
        "preprocessor_config.json": SMOL
        | {"do_image_splitting": True, "size": {"longest_edge": 512}}
        | {"image_processor_type": "SmolVLMImageProcessor", "processor_class": "SmolVLMProcessor"},
        "processor_config.json": {"image_seq_len": 4, "processor_class": "SmolVLMProcessor"},
    },
}
LIMITS = {"internvl": (56**2, 12 * 56**2, 56**2, 56**2), "smolvlm": (512**2, 512**2, 512**2, 512**2)}


@pytest.fixture(params=RELEASED)
def released(request: pytest.FixtureRequest, policies: dict[str, Policy], tmp_path: Path) -> Path:
    """A folder of tiny random weights with the processor files of the release."""
    policy = policies[request.param]
    policy.save(tmp_path / request.param)
    for file in tmp_path.glob("*/*processor_config.json"):
        file.unlink()
    for name, content in RELEASED[request.param].items():
        (tmp_path / request.param / name).write_text(json.dumps(content, indent=2))
    return tmp_path / request.param


def limits(folder: Path) -> tuple[int, int, int, int]:
    found = models.load(folder).sizing
    return found.image_min_pixels, found.image_max_pixels, found.video_min_pixels, found.video_max_pixels


def edit(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_released_files_are_read_as_they_are_published(released: Path) -> None:
    assert limits(released) == LIMITS[released.name]


def test_a_folder_that_states_nothing_has_the_familys_own_limits(released: Path) -> None:
    for file in released.glob("*processor_config.json"):
        file.unlink()
    assert limits(released) == LIMITS[released.name]


def test_fewer_tiles_are_read_from_the_files(released: Path) -> None:
    fewer = {"max_patches": 4} if released.name == "internvl" else {"size": {"longest_edge": 128}}
    edit(released / "preprocessor_config.json", **fewer)
    assert limits(released)[1] == {"internvl": 4 * 56**2, "smolvlm": 128**2}[released.name]


def test_frames_of_smolvlm_have_a_file_of_their_own_where_there_is_one(policies: dict[str, Policy]) -> None:
    family = policies["smolvlm"].family
    image = {"size": {"longest_edge": 512}, "video_sampling": {"video_size": {"longest_edge": 256}}}
    sampled = {"video_sampling": {"video_size": {"longest_edge": 256}}}

    def frames(**stated: dict[str, Any]) -> int:
        return family.limits({"image": {}, "video": {}} | stated).video_max_pixels

    # As SmolVLMVideoProcessor takes them: its own size, else the sampling's; the images' file where there is no other.
    assert frames(image=image) == frames(image=image, video=image) == 512**2
    assert frames(image=image, video=sampled) == frames(image=sampled) == 256**2


FIRST, SECOND = "preprocessor_config.json", "processor_config.json"
SHARED = [
    (FIRST, "image_mean", [0.4, 0.4, 0.4]),
    (FIRST, "image_std", [0.2, 0.2, 0.2]),
    (FIRST, "rescale_factor", 1 / 127.5),
    (FIRST, "resample", 2),
    (FIRST, "do_normalize", False),
    (FIRST, "image_processor_type", "SiglipImageProcessor"),
]
OWN = {
    "internvl": [(SECOND, "image_seq_length", 64), (FIRST, "size", {"height": 48, "width": 48})],
    "smolvlm": [
        (SECOND, "image_seq_len", 256),
        (FIRST, "max_image_size", {"longest_edge": 96}),
        (FIRST, "do_image_splitting", False),
    ],
}


@pytest.mark.parametrize(
    ("released", "file", "name", "value"),
    [(family, *case) for family in RELEASED for case in SHARED + OWN[family]],
    indirect=["released"],
)
def test_every_number_that_files_set_and_we_also_set_is_compared(
    released: Path, file: str, name: str, value: object
) -> None:
    edit(released / file, **{name: value})
    with pytest.raises(RequestError, match=rf"{file} (states {name}|names Siglip).*published with"):
        models.load(released)


def test_special_ids_that_differ_from_the_config_are_refused(released: Path) -> None:
    edit(released / "config.json", image_token_id=3)
    token = tiny.FAMILIES[released.name].marks["image"]
    with pytest.raises(RequestError, match=rf"{token} is \d+ in its tokenizer and 3 in its config"):
        models.load(released)


def test_a_tokenizer_of_another_family_is_refused(released: Path, policies: dict[str, Policy]) -> None:
    other = released.parent / "other"
    policies["qwen3_vl"].save_processor(other)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(other / name, released / name)
    with pytest.raises(RequestError, match="its tokenizer has no special token <"):
        models.load(released)
