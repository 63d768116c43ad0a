from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from reelgym.models.tiny import ASSETS

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_tokenizer", REPOSITORY / "scripts" / "make_tokenizer.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(ASSETS / "tokenizer.json"))


def test_the_packaged_file_is_what_the_script_makes(script) -> None:
    packaged = json.loads((ASSETS / "tokenizer.json").read_text(encoding="utf-8"))
    made = json.loads(script.build().to_str())
    for part in ("model", "added_tokens", "pre_tokenizer", "decoder", "normalizer"):
        assert packaged[part] == made[part], part


def test_squares_and_digits_are_one_token_with_and_without_a_space(tokenizer: Tokenizer) -> None:
    for square in [f"{column}{row}" for column in "abcdefgh" for row in "12345678"]:
        for text in (square, " " + square):
            assert len(tokenizer.encode(text).ids) == 1, text
        assert tokenizer.encode(f"{square} {square}|{square}").tokens == [square, f"\u0120{square}", "|", square]
    for digit in "0123456789":
        assert len(tokenizer.encode(digit).ids) == len(tokenizer.encode(" " + digit).ids) == 1
    assert tokenizer.encode("1942").tokens == ["1", "9", "4", "2"]


def test_a_square_inside_a_word_or_number_is_not_cut_out(tokenizer: Tokenizer) -> None:
    assert "c4" not in tokenizer.encode("abc4").tokens
    assert "c4" not in tokenizer.encode("c42").tokens
    assert "h8" not in tokenizer.encode("h8th").tokens


@pytest.mark.parametrize("name", ["observation", "think", "answer"])
def test_tags_are_one_ordinary_token_each(tokenizer: Tokenizer, name: str) -> None:
    for tag in (f"<{name}>", f"</{name}>"):
        encoded = tokenizer.encode(f"x{tag}y")
        assert encoded.tokens == ["x", tag, "y"]
        assert tokenizer.decode(encoded.ids, skip_special_tokens=True) == f"x{tag}y"


def test_the_families_special_tokens_are_special(tokenizer: Tokenizer, script) -> None:
    for token in script.SPECIAL:
        ids = tokenizer.encode(f"a{token}b").ids
        assert tokenizer.token_to_id(token) == ids[1] and len(ids) == 3
        assert tokenizer.decode(ids, skip_special_tokens=True) == "ab"


def test_a_reply_of_the_demo_is_short(tokenizer: Tokenizer) -> None:
    reply = "<observation>c4 d4 | c5 1 e4 2</observation><think>d4 2 d5 1</think><answer>2, 1</answer>"
    encoded = tokenizer.encode(reply)
    assert len(encoded.ids) == 20
    assert tokenizer.decode(encoded.ids) == reply
    assert 600 <= tokenizer.get_vocab_size() <= 1000
