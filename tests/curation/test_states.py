from reelgym.curation.states import SQUARES, frame_states, square_class
from reelgym.data.messages import Clip, Image, Message, Text
from reelgym.data.sample import Sample
from reelgym.video import FrameSpec

SPEC = FrameSpec(fps=1.0, size=(28, 28))


def test_squares_are_numbered_along_the_rows() -> None:
    words = [f"{column}{row}" for row in range(1, 9) for column in "abcdefgh"]
    assert [square_class(word) for word in words] == list(range(SQUARES))


def test_a_visual_token_shows_a_pair_of_frames_and_an_odd_clip_repeats_its_last() -> None:
    parts = (
        Text("x"),
        Clip(video="v", spec=SPEC, times=(0.0, 1.0, 2.0)),
        Image(video="v", spec=SPEC, time=3.0),
    )
    sample = Sample(id="s", task="mvp", messages=(Message("user", parts),), answer=[1], split="train")
    word = {0.0: "a1", 1.0: "b1", 2.0: "c1", 3.0: "a2"}.__getitem__
    # a1 b1 | c1 c1 make two tokens of video, a2 a2 one of image.
    assert frame_states(sample, word) == {"video": [(0, 1), (2, 2)], "image": [(8, 8)]}
