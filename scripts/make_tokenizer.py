"""Write the tiny models' tokenizer: `python scripts/make_tokenizer.py [OUT]`.

A byte-level BPE of under a thousand tokens, learned from the small corpus below by the plain algorithm (most frequent
pair first, ties in the order of the alphabet), so that every machine and library version makes the same file. Any
UTF-8 text round-trips. The squares of a chess board (`c4`), with and without a space before, are one token each; so are
digits and the tags of a reply.
"""

from __future__ import annotations

import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

SPECIAL = [
    f"<|{name}|>"
    for name in (
        *("endoftext", "im_start", "im_end", "object_ref_start", "object_ref_end", "box_start", "box_end"),
        *("quad_start", "quad_end", "vision_start", "vision_end", "vision_pad", "image_pad", "video_pad"),
    )
]
TAGS = [f"<{slash}{name}>" for name in ("observation", "think", "answer") for slash in ("", "/")]
SQUARES = [f"{column}{row}" for column in "abcdefgh" for row in "12345678"]
PATTERN = (
    r" ?</?(?:observation|think|answer)>"
    r"| ?[a-h][1-8](?![\p{L}\p{N}])"
    r"| ?\p{L}+| ?\p{N}|\n| ?[^\s\p{L}\p{N}]|\s+(?!\S)|\s+"
)
NUM_MERGES = 560
SPACE = "\u0120"
"""How byte-level BPE writes the byte of a space."""

CORPUS = """
You are a helpful assistant.
Before the gap, 1.0 to 7.0 s: Before the gap, 0.0 to 3.5 s: After the gap, 12.0 to 18.0 s: After the gap, 9.5 to 11.0 s:
Which 3 of these 5 candidates fill the gap, in time order? Which 2 of these 4 candidates fill the gap, in time order?
Candidate 1: Candidate 2: Candidate 3: Candidate 4: Candidate 5: Candidate 6:
Answer with 3 candidate numbers. Answer with 2 candidate numbers. Reply with the answer only.
Reply in this form: <observation>what you see</observation><think>your reasoning</think><answer>the answer only</answer>
Reply in this form: <observation>what you see</observation><think>your reasoning</think><answer>the answer only</answer>
The video before the gap: The video after the gap: Frames are missing between the two clips.
Choose the 2 images that show the missing moments and put them in the order of time, earliest first.
The first part of a video: The last part of the video: The images, in no order:
Answer with the numbers of the candidates in time order, separated by commas. Answer with the letter only.
First describe what you see inside <observation></observation>, then reason inside <think></think>,
then give the answer inside <answer></answer>. Reply with the answer only.
<observation>c4 d4 | c5 1 e4 2 g7 3</observation><think>d4 2 d5 1</think><answer>2, 1</answer>
Write what the clips and the candidates show, think about what happens between them, and answer.
What happens next? What happened before? When does it happen? Where is it at the end? How many are there?
In what order do these events happen? Which object moves first? What color is the square at the start?
Which cup hides the ball? What number does the counter show? How many times does the ball bounce?
How often do the circle and the triangle collide? Which step comes after the second step? At what time in seconds?
a red circle moves left, a blue square moves right, a green triangle moves up, a yellow star moves down.
orange purple white black grey gray pink brown cyan magenta color colour shape size small large big fast slow
circle square triangle star diamond ring cross ball cup cups box boxes counter number digit object objects
moves bounces collides swaps turns stops starts appears disappears enters leaves falls rises grows shrinks
left middle right top bottom center centre corner wall edge above below between inside outside near far
first second third fourth fifth last next previous before after during while then now until start end begin
one two three four five six seven eight nine ten zero none never always once twice times time seconds second
pour mix cut fry boil bake stir chop wash open close lift drop take put push pull pick place cook serve
step steps process order event events question answer option options yes no true false same different
the a an of in on at to from with and or not is are was were be been has have had do does did it its this that
these those there here which what when where who why how many much most least more less than as by for into over
user assistant system video image clip frame frames picture pictures camera scene light dark shadow background
A. B. C. D. A: B: C: D: (A) (B) (C) (D) <0.5 seconds> <12.0 seconds> 0.5 s 1 s 10 s
Look at the frames carefully. The object is at c4 and moves to d5. The gap is between them. So the answer is
"""


def train(corpus: str, num_merges: int) -> list[tuple[str, str]]:
    """Return the merges in rank order: squares and spaced digits first, then what the corpus teaches, then tags."""
    splitter = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PATTERN), "isolated"), _byte_level()])
    words = Counter(piece for line in corpus.split("\n") for piece, _ in splitter.pre_tokenize_str(line))
    merges = [(square[0], square[1]) for square in SQUARES]
    merges += [(SPACE, square) for square in SQUARES] + [(SPACE, digit) for digit in "0123456789"]
    pieces = {word: _apply(word, merges) for word in words}
    for _ in range(num_merges):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, symbols in pieces.items():
            for pair in pairwise(symbols):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        pieces = {word: _merge(symbols, best) for word, symbols in pieces.items()}
    for tag in TAGS:
        symbols = _apply(tag, merges)
        while len(symbols) > 1:
            merges.append((symbols[0], symbols[1]))
            symbols = _merge(symbols, merges[-1])
    return merges


def build() -> Tokenizer:
    """Return the tokenizer: 256 bytes, one token per merge, then the special tokens of the Qwen-VL families."""
    merges = train(CORPUS, NUM_MERGES)
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet()) + ["".join(pair) for pair in merges]
    vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PATTERN), "isolated"), _byte_level()])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return tokenizer


def _byte_level() -> pre_tokenizers.ByteLevel:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def _apply(word: str, merges: list[tuple[str, str]]) -> list[str]:
    symbols = list(word)
    for pair in merges:
        symbols = _merge(symbols, pair)
    return symbols


def _merge(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


if __name__ == "__main__":
    default = Path(__file__).parents[1] / "src" / "reelgym" / "models" / "assets" / "tokenizer.json"
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    out.write_text(build().to_str(pretty=True) + "\n", encoding="utf-8")
    sys.stdout.write(f"{out}: {build().get_vocab_size()} tokens\n")
