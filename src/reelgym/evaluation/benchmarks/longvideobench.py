"""LongVideoBench: what was referred to in long videos with subtitles (arXiv 2407.15754). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source

LONGVIDEOBENCH = Benchmark(
    name="longvideobench",
    title="LongVideoBench (validation)",
    about="Three to five options about videos of 8 s to an hour, without their subtitles",
    paper="arXiv 2407.15754",
    access="agreement",
    licence="CC-BY-NC-SA-4.0",
    source=Source(
        hub="longvideobench/LongVideoBench",
        split="validation",
        files=("lvb_val.json", "validation-*.parquet", "data/validation-*.parquet"),
        gathered={"candidates": tuple(f"option{place}" for place in range(5))},
    ),
    columns=Columns(
        id="{id}",
        video=("videos/{video_path}", "{video_path}"),
        options="candidates",
        answer="correct_choice",
        form="index",
        facets={"duration": "{duration_group}", "category": "{question_category}"},
    ),
    metrics=(
        Metric(name="accuracy"),
        *(Metric(name=f"to {seconds} s", where={"duration": str(seconds)}) for seconds in (15, 60, 600, 3600)),
        Metric(name="mean of categories", by=("category",)),
    ),
    questions=1337,
    videos=753,
    type_facet="category",
    references=(
        Reference(model="Qwen2.5-VL-7B", metric="accuracy", score=56.0, setting="not stated", source="its report"),
        Reference(model="GPT-4o", metric="accuracy", score=66.7, setting="not stated", source="secondary"),
    ),
    notes=(
        "Published settings put subtitles between the frames; here are none.",
        "The right answers of its test set are hidden: it is not read.",
    ),
)
