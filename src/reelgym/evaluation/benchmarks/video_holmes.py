"""Video-Holmes: reasoning over short suspense films (arXiv 2505.21374). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source

VIDEO_HOLMES = Benchmark(
    name="video-holmes",
    title="Video-Holmes",
    about="Six options about suspense films, seven types of question",
    paper="arXiv 2505.21374",
    access="open",
    licence="unknown",
    source=Source(hub="TencentARC/Video-Holmes", files=("test_Video-Holmes.json", "*/test_Video-Holmes.json")),
    columns=Columns(
        id="{Question ID}",
        video=("videos/{video ID}", "{video ID}"),
        question="{Question}",
        options="Options",
        answer="Answer",
        facets={"type": "{Question Type}"},
    ),
    metrics=(Metric(name="accuracy"), Metric(name="mean of types", by=("type",))),
    questions=1837,
    videos=270,
    type_facet="type",
    references=(
        Reference(model="Qwen2.5-VL-7B", metric="accuracy", score=27.8, setting="not stated", source="secondary"),
        Reference(model="Video-R1-7B", metric="accuracy", score=36.5, setting="not stated", source="secondary"),
        Reference(model="GPT-4o", metric="accuracy", score=42.0, setting="not stated", source="secondary"),
    ),
    notes=("The longest option is right in 29.8 % of the published rows, above Qwen2.5-VL-7B's published 27.8.",),
)
