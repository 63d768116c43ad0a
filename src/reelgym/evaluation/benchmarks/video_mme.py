"""Video-MME: four options about short, medium and long videos (arXiv 2405.21075). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source

VIDEO_MME = Benchmark(
    name="video-mme",
    title="Video-MME",
    about="Four options about videos of 11 s to an hour, without subtitles",
    paper="arXiv 2405.21075",
    access="open",
    licence="for academic research only",
    source=Source(
        hub="lmms-lab/Video-MME", config="videomme", files=("videomme/test-*.parquet", "test-*.parquet", "*.parquet")
    ),
    columns=Columns(
        id="{question_id}",
        video=("data/{videoID}", "{videoID}"),
        options="options",
        facets={"duration": "{duration}", "domain": "{domain}", "task_type": "{task_type}"},
    ),
    metrics=(
        Metric(name="accuracy"),
        Metric(name="short", where={"duration": "short"}),
        Metric(name="medium", where={"duration": "medium"}),
        Metric(name="long", where={"duration": "long"}),
    ),
    questions=2700,
    videos=900,
    type_facet="task_type",
    references=(
        Reference(
            model="Qwen2.5-VL-7B", metric="accuracy", score=65.1, setting="768 frames, no subtitles", source="official"
        ),
        Reference(
            model="Video-R1-7B",
            metric="accuracy",
            score=61.4,
            setting="64 frames, think and answer tags",
            source="arXiv 2503.21776",
        ),
    ),
    notes=("Subtitles are not shown: its second setting is not here.",),
)
