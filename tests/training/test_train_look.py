import numpy as np
import pytest
import torch

from reelgym.data.messages import Image, Message, Text
from reelgym.errors import RequestError
from reelgym.models.tiny import build
from reelgym.training.look import Seen, pretrain_tower
from reelgym.video import FrameSpec

SPEC = FrameSpec(fps=1.0, size=(28, 28))


def _media(part: Image) -> np.ndarray:
    """Draw a dark left half at even times and a dark right half at odd ones."""
    frame = np.full((1, 28, 28, 3), 220, dtype=np.uint8)
    half = slice(0, 14) if int(part.time) % 2 == 0 else slice(14, 28)
    frame[:, :, half] = 30
    return frame


def _seen(count: int) -> list[Seen]:
    return [
        Seen(
            (Message("user", (Text("x"), Image(video="v", spec=SPEC, time=float(time)))),),
            {"image": [(time % 2, time % 2)], "video": []},
        )
        for time in range(count)
    ]


def test_the_tower_learns_what_its_tokens_show_and_nothing_else_changes() -> None:
    policy = build("qwen2_5_vl", seed=0)
    before = {name: weight.detach().clone() for name, weight in policy.model.named_parameters()}
    right = pretrain_tower(policy, _seen(8), _media, classes=2, steps=60, prompts_per_step=8, lr=1e-3)
    assert right == 1.0
    changed = {n for n, w in policy.model.named_parameters() if not torch.equal(w.detach(), before[n])}
    assert changed
    assert all(".visual." in name for name in changed)


def test_the_same_seed_gives_the_same_tower() -> None:
    towers = []
    for _ in range(2):
        policy = build("qwen2_5_vl", seed=0)
        pretrain_tower(policy, _seen(4), _media, classes=2, steps=3, prompts_per_step=2, seed=7)
        towers.append({n: w.detach().clone() for n, w in policy.model.named_parameters() if ".visual." in n})
    assert all(torch.equal(towers[0][name], weight) for name, weight in towers[1].items())


def test_a_number_of_states_that_does_not_fit_the_tokens_is_an_error() -> None:
    seen = [Seen(_seen(1)[0].messages, {"image": [(0, 0), (1, 1)], "video": []})]
    with pytest.raises(RequestError, match="1 visual tokens for 2 states"):
        pretrain_tower(build("qwen2_5_vl"), seen, _media, classes=2, steps=1)
