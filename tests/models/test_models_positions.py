from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_prompts import FORMS, clip, media, messages

from reelgym.data.messages import Message, Text
from reelgym.errors import RequestError
from reelgym.models.base import Policy
from reelgym.models.positions import Block, clock, place

GOLDEN = json.loads((Path(__file__).parent / "golden" / "positions.json").read_text())


@pytest.mark.parametrize("form", FORMS)
def test_prompts_stand_at_the_golden_positions(policy: Policy, form: str) -> None:
    prompt = policy.encode(messages(form), media(policy, 2))
    assert prompt.positions.dtype == torch.int64
    assert prompt.positions.tolist() == GOLDEN[policy.family.name][form]


def test_text_after_a_minute_of_qwen25_video_starts_at_119_not_10(policies: dict[str, Policy]) -> None:
    # 60 frames at 1 fps: 30 steps of 2 s at 2 positions per second; a 16 x 16 patch grid is 8 x 8 tokens.
    # Largest position 2 + 29 * 4 = 118, so text goes on at 119; the larger spatial side would give 2 + 8 = 10.
    told = clock([float(second) for second in range(60)], temporal=2)
    policy = policies["qwen2_5_vl"]
    blocks = policy.family.clip_blocks(told, (30, 8, 8), tokens_per_second=2.0)
    placed = place([Block(2), *blocks, Block(1)])
    assert placed[:, 2].tolist() == [2, 2, 2]
    assert placed[:, -2].tolist() == [118, 9, 9]
    assert placed[:, -1].tolist() == [119, 119, 119]


def test_text_after_qwen3_frames_goes_on_after_the_larger_side(policies: dict[str, Policy]) -> None:
    blocks = policies["qwen3_vl"].family.clip_blocks(None, (2, 3, 5), tokens_per_second=0.0)
    placed = place([Block(2), blocks[0], Block(1), blocks[1], Block(1)])
    assert placed[:, 17].tolist() == [7, 7, 7]  # Columns 2 to 6 before it.
    assert placed[:, -1].tolist() == [13, 13, 13]


@pytest.mark.parametrize("form", FORMS)
def test_a_completion_goes_on_from_the_last_prompt_token(policy: Policy, form: str) -> None:
    prompt = policy.encode(messages(form), media(policy))
    assert [prompt.next_position] * 3 == (prompt.positions[:, -1] + 1).tolist()


@pytest.mark.parametrize("form", ["text", "image", "mixed", "turns"])
def test_qwen3_agrees_with_stock_get_rope_index_which_is_not_used(policies: dict[str, Policy], form: str) -> None:
    policy = policies["qwen3_vl"]
    prompt = policy.encode(messages(form), media(policy, 2))
    kinds = torch.zeros_like(prompt.ids)
    for number, kind in enumerate(("image", "video"), 1):
        kinds[prompt.ids == policy.placeholder_ids[kind]] = number
    grids = {f"{kind}_grid_thw": prompt.grids.get(kind) for kind in ("image", "video")}
    stock, _ = policy.model.model.get_rope_index(prompt.ids[None], kinds[None], **grids)
    assert torch.equal(stock[:, 0], prompt.positions)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(0, 5),
            st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.0, 0.4, 1.0, 3.5])),
        ),
        max_size=6,
    )
)
def test_place_equals_a_loop_over_tokens(parts: list) -> None:
    expected: list[tuple[int, int, int]] = []
    largest = -1
    blocks = []
    for part in parts:
        start = largest + 1
        if isinstance(part, int):
            blocks.append(Block(part))
            expected += [(start + i,) * 3 for i in range(part)]
        else:
            steps, rows, columns, interval = part
            blocks.append(Block(steps * rows * columns, (steps, rows, columns), interval))
            for t in range(steps):
                for y in range(rows):
                    for x in range(columns):
                        expected.append((start + int(t * interval + 1e-6), start + y, start + x))
        largest = max([largest, *(axis for token in expected for axis in token)])
    assert place(blocks).T.tolist() == [list(token) for token in expected]


def test_seconds_are_not_rounded() -> None:
    # 0.75 s apart: 1.5 s per step, 3 positions; rounding the seconds to 2 would give 4.
    told = clock([0.0, 0.75, 1.5, 2.25], temporal=2)
    assert told.seconds_per_step == 1.5
    assert place([Block(2, (2, 1, 1), told.seconds_per_step * 2)])[0].tolist() == [0, 3]


def test_times_kept_to_the_microsecond_lose_no_position() -> None:
    # Thirds of a second: 4/3 positions per step, so step 3 stands at 4 although 0.333333 * 12 < 4.
    told = clock([round(k / 3, 6) for k in range(8)], temporal=2)
    assert place([Block(4, (4, 1, 1), told.seconds_per_step * 2)])[0].tolist() == [0, 1, 2, 4]


def test_uneven_times_give_their_mean_spacing_and_its_largest_error() -> None:
    # Spacing (6 - 0) / 3 = 2 s, 4 s per step. True means 0.5 and 5.5; told 0 + 2 * 0.5 = 1 and 1 + 4 = 5.
    told = clock([0.0, 1.0, 5.0, 6.0], temporal=2)
    assert told.seconds_per_step == 4.0
    assert told.steps == (0.5, 5.5)
    assert told.error_seconds == 0.5


def test_an_odd_count_repeats_the_last_time_as_it_repeats_the_last_frame() -> None:
    told = clock([0.0, 1.0, 2.0], temporal=2)
    assert told.steps == (0.5, 2.0)
    assert told.seconds_per_step == 2.0


def test_a_single_frame_has_no_spacing() -> None:
    assert clock([7.5], temporal=2).steps == (7.5,)
    assert clock([7.5], temporal=2).seconds_per_step == 0.0


def test_times_that_decrease_are_refused(policy: Policy) -> None:
    with pytest.raises(RequestError, match=r"must not decrease: \[3.0, 1.0\]"):
        policy.encode((Message("user", (clip(3.0, 1.0), Text("?"))),), media(policy))


def test_shown_seconds_replace_the_times_and_not_the_frames(policy: Policy) -> None:
    def encoded(*parts):
        return policy.encode((Message("user", (*parts, Text("?"))),), media(policy))

    true = encoded(clip(0.0, 1.0, 2.0, 3.0))
    shown = encoded(clip(0.0, 1.0, 2.0, 3.0, shown=(0.0, 4.0, 8.0, 12.0)))
    slow = encoded(clip(0.0, 4.0, 8.0, 12.0))
    assert torch.equal(shown.patches["video"], true.patches["video"])
    assert torch.equal(shown.positions, slow.positions) and torch.equal(shown.ids, slow.ids)
    told_apart = (shown.positions, shown.ids.tolist()), (true.positions, true.ids.tolist())
    assert not torch.equal(told_apart[0][0], told_apart[1][0]) or told_apart[0][1] != told_apart[1][1]
