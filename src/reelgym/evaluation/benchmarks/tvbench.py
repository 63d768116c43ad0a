"""TVBench: ten tasks that text and single frames do not solve (arXiv 2410.07752). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source

TVBENCH = Benchmark(
    name="tvbench",
    title="TVBench",
    about="Ten tasks about time, at chance for text alone and for one frame",
    paper="arXiv 2410.07752",
    access="open",
    licence="unknown",
    source=Source(hub="FunAILab/TVBench", files=("json/*.json", "*.json", "*/test-*.parquet")),
    columns=Columns(
        video=("video/{@file}/{video}", "{@file}/{video}", "{video}"),
        options="candidates",
        form="text",
        bounds=("start", "end"),
        facets={"task": "{@file}"},
    ),
    metrics=(Metric(name="accuracy"), Metric(name="mean of tasks", by=("task",))),
    questions=2525,
    videos=0,
    type_facet="task",
    references=(
        Reference(model="Qwen2.5-VL-7B", metric="accuracy", score=50.5, setting="not stated", source="V-JEPA 2 paper"),
        Reference(model="Qwen2-VL-7B", metric="accuracy", score=46.0, setting="not stated", source="secondary"),
    ),
    notes=("Tasks differ in size by six times: the mean over questions and the mean over tasks are both given.",),
)
