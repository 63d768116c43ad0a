"""TempCompass, its multiple-choice part (arXiv 2403.00476). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source

TEMPCOMPASS_MC = Benchmark(
    name="tempcompass-mc",
    title="TempCompass (multiple choice)",
    about="Action, direction, speed, order and attribute change; the multiple-choice part of four",
    paper="arXiv 2403.00476",
    access="open",
    licence="unknown",
    source=Source(
        hub="lmms-lab/TempCompass", config="multi-choice", files=("multi-choice/test-*.parquet", "test-*.parquet")
    ),
    columns=Columns(video=("videos/{video_id}", "{video_id}"), options="in question", facets={"dimension": "{dim}"}),
    metrics=(Metric(name="accuracy"), Metric(name="mean of dimensions", by=("dimension",))),
    questions=1580,
    videos=410,
    type_facet="dimension",
    references=(
        Reference(
            model="Qwen2.5-VL-7B",
            metric="accuracy",
            score=72.9,
            setting="64 frames, think and answer tags",
            source="arXiv 2503.21776",
        ),
        Reference(
            model="Video-R1-7B",
            metric="accuracy",
            score=73.2,
            setting="64 frames, think and answer tags",
            source="arXiv 2503.21776",
        ),
    ),
    notes=("One of four parts: yes/no, caption matching and captioning are not here.",),
)
