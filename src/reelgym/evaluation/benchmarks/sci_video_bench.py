"""SciVideoBench: experiments in published videos, ten options (arXiv 2510.08559). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source

SCI_VIDEO_BENCH = Benchmark(
    name="sci-video-bench",
    title="SciVideoBench",
    about="Ten options about laboratory experiments: concepts, hypotheses and quantities",
    paper="arXiv 2510.08559",
    access="agreement",
    licence="unknown",
    source=Source(hub="groundmore/scivideobench", files=("scivideobench_1k.jsonl", "*/test-*.parquet", "*.jsonl")),
    columns=Columns(
        video=("videos/jove_{video_id}", "jove_{video_id}", "{video_id}"),
        options="options",
        facets={"type": "{question_type}"},
    ),
    metrics=(Metric(name="accuracy"), Metric(name="mean of types", by=("type",))),
    questions=1000,
    videos=241,
    type_facet="type",
    references=(
        Reference(model="GPT-4o", metric="accuracy", score=24.9, setting="not stated", source="secondary"),
        Reference(model="Qwen2.5-VL-72B", metric="accuracy", score=20.3, setting="not stated", source="secondary"),
    ),
    notes=(
        "Questions name times as minutes:seconds; they are asked as published, never rewritten as numbers of frames.",
        "Video and question_id together name several rows, so ids go by the row.",
    ),
)
