"""EgoSchema, the 500 questions with public answers (arXiv 2308.09126). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Reference, Source

EGOSCHEMA = Benchmark(
    name="egoschema-subset",
    title="EgoSchema (subset)",
    about="Five long options about three minutes through somebody's eyes",
    paper="arXiv 2308.09126",
    access="open",
    licence="unknown",
    source=Source(
        hub="lmms-lab/egoschema", config="Subset", files=("Subset/test-*.parquet", "test-*.parquet", "subset.json")
    ),
    columns=Columns(id="{question_idx}", video=("videos/{video_idx}", "{video_idx}"), options="option", form="index"),
    questions=500,
    videos=500,
    references=(
        Reference(
            model="Qwen2.5-VL-7B",
            metric="accuracy",
            score=65.0,
            setting="the full set of 5,031 questions",
            source="its report",
        ),
    ),
    notes=("Of the full set of 5,031 questions a server alone knows the answers: it is not here.",),
)
