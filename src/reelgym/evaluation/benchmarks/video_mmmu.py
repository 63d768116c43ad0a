"""Video-MMMU: what a lecture teaches, in three tracks (arXiv 2501.13826). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source, View

_DISCIPLINES = ("Art", "Business", "Engineering", "Humanities", "Medicine", "Science")

VIDEO_MMMU = Benchmark(
    name="video-mmmu",
    title="Video-MMMU",
    about="About ten options on lectures of six disciplines; and what the lecture adds to an exercise",
    paper="arXiv 2501.13826",
    access="agreement",
    licence="unknown",
    source=Source(hub="lmms-lab/VideoMMMU", files=("*ion/test-*.parquet", "*ion/test.json*")),
    columns=Columns(
        id="{@dir}-{id}",
        video=(*(f"{discipline}/{{id}}" for discipline in _DISCIPLINES), "{id}"),
        options="options",
        facets={"track": "{@dir}"},
    ),
    views=(
        View(name="after", kind="choice or short", ending=True),
        View(
            name="before",
            kind="choice or short",
            where={"@dir": "Adaptation"},
            parts=("question_only/{id}_image",),
        ),
    ),
    metrics=(
        Metric(name="accuracy", where={"view": "after"}),
        *(
            Metric(name=track, where={"view": "after", "track": track})
            for track in ("Perception", "Comprehension", "Adaptation")
        ),
        Metric(name="Adaptation without the lecture", where={"view": "before"}),
        Metric(name="knowledge gained", formula="knowledge", of=("Adaptation", "Adaptation without the lecture")),
    ),
    questions=900,
    videos=300,
    type_facet="track",
    references=(
        Reference(model="GPT-4o", metric="accuracy", score=61.2, setting="not stated", source="its page"),
        Reference(model="GPT-4o", metric="knowledge gained", score=15.6, setting="not stated", source="its page"),
        Reference(model="Qwen2.5-VL-7B", metric="accuracy", score=47.4, setting="not stated", source="secondary"),
        Reference(
            model="Video-R1-7B",
            metric="accuracy",
            score=52.4,
            setting="64 frames, think and answer tags",
            source="arXiv 2503.21776",
        ),
    ),
    notes=(
        "The still of an exercise stands at the end of its video: the end is shown however few the frames are.",
        "The exercise alone is asked of question_only/ID_image.mp4; without these files no knowledge gained is told.",
        "Answers without options count where the number or the words are the same.",
    ),
)
