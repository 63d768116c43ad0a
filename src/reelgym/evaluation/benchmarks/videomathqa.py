"""VideoMathQA: mathematics in videos, five options or grouped binary ones (arXiv 2506.05349). Schema from its card."""

from dataclasses import replace

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source

VIDEOMATHQA = Benchmark(
    name="videomathqa",
    title="VideoMathQA (multiple choice)",
    about="Five options about mathematics in videos of 10 s to an hour, answered directly, without subtitles",
    paper="arXiv 2506.05349",
    access="open",
    licence="unknown",
    source=Source(hub="MBZUAI/VideoMathQA", config="mcq", files=("mcq/test-*.parquet", "mcq.json", "mcq/*.json")),
    columns=Columns(
        video=("videos/{videoID}", "{videoID}"),
        options="options",
        facets={"question": "{question_id}", "category": "{category}"},
    ),
    questions=420,
    videos=420,
    type_facet="category",
    references=(
        Reference(
            model="Qwen2.5-VL-7B", metric="accuracy", score=24.8, setting="192 frames, direct", source="secondary"
        ),
    ),
    notes=("Direct answers; chains of thought are another board, as are subtitles.",),
)

VIDEOMATHQA_BINARY = replace(
    VIDEOMATHQA,
    name="videomathqa-binary",
    title="VideoMathQA (grouped binary)",
    about="The same questions as pairs of options; one counts only where all of its pairs are right",
    source=Source(
        hub="MBZUAI/VideoMathQA",
        config="multi_binary",
        files=("multi_binary/test-*.parquet", "multi_binary.json", "multi_binary/*.json"),
    ),
    metrics=(Metric(name="MBin", all_of="question"), Metric(name="accuracy of pairs")),
    questions=1680,
    references=(),
)
