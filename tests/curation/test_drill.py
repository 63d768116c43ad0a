import re
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from reelgym.curation import drill_reply

FORM = re.compile(r"<observation> (.*)</observation><think> (.*)</think><answer>(.*)</answer>")


@given(
    seed=st.integers(0, 10_000),
    pairs=st.integers(2, 8),
    context=st.sampled_from([0, 4, 6]),
    alike=st.sampled_from([0.0, 0.25, 1.0]),
    data=st.data(),
)
def test_the_thinking_names_observed_pairs_and_none_twice(
    seed: int, pairs: int, context: int, alike: float, data: st.DataObject
) -> None:
    picks = data.draw(st.integers(1, pairs))
    found = FORM.fullmatch(drill_reply(Random(seed), pairs=pairs, picks=picks, context=context, alike=alike))
    assert found
    *around, seen = found[1].split(" | ")
    assert [len(part.split()) >= 2 for part in around] == [True, True] * bool(context)
    assert sum(len(part.split()) for part in around) == context
    observed, again = seen.split(), found[2].split()
    assert observed[1::2] == [str(number) for number in range(1, pairs + 1)]
    assert all(re.fullmatch("[a-h][1-8]", square) for square in observed[::2])
    told, thought = (list(zip(words[::2], words[1::2], strict=True)) for words in (observed, again))
    assert set(thought) <= set(told)
    assert len(set(again[1::2])) == len(thought) == picks
    assert found[3] == ", ".join(again[1::2])
    repeated = pairs - len(set(observed[::2]))
    assert repeated == {0.0: 0, 1.0: 1}.get(alike, repeated)


def test_the_same_seed_draws_the_same_drill_and_another_one_another() -> None:
    assert drill_reply(Random(1)) == drill_reply(Random(1)) != drill_reply(Random(2))
