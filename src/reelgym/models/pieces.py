"""Token ids to the text each adds, for any byte-level tokenizer of transformers."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Any


def byte_alphabet() -> dict[str, int]:
    """Return the byte that each character of a byte-level BPE token stands for (GPT-2's table)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(moved)}


_BYTE_OF = byte_alphabet()


def token_bytes(tokenizer: Any, token: int) -> bytes:
    """Return the bytes that a token stands for; a special token adds nothing."""
    added = tokenizer.added_tokens_decoder.get(token)
    if added is not None:
        return b"" if added.special else str(added.content).encode()
    written = tokenizer.convert_ids_to_tokens(token) or ""
    return bytes(_BYTE_OF[character] for character in written)


def joined(parts: Iterable[bytes]) -> list[str]:
    """Return the text that each part adds; a character that spans several parts belongs to the last of them."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces = [decoder.decode(part) for part in parts]
    rest = decoder.decode(b"", True)
    if rest:
        pieces[-1] += rest
    return pieces
