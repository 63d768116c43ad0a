"""CG-Bench, its mini set: an answer, and the clues that give it (arXiv 2412.12075). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Source, View

CG_BENCH_MINI = Benchmark(
    name="cg-bench-mini",
    title="CG-Bench (mini)",
    about="Five to eight options about long videos, asked of the whole, of the clues alone, and for the clues",
    paper="arXiv 2412.12075",
    access="open",
    licence="unknown",
    source=Source(hub="CG-Bench/CG-Bench", files=("cgbench_mini.json", "*/cgbench_mini.json")),
    columns=Columns(
        id="{qid}",
        video=("cg_videos_720p/{video_uid}", "{video_uid}"),
        options="choices",
        answer="right_answer",
        spans="clue_intervals",
        facets={"domain": "{domain}"},
    ),
    views=(
        View(name="long"),
        View(name="clue", shows="evidence"),
        View(
            name="ground",
            kind="spans",
            ask="When is shown what answers this? Answer with start and end in seconds of up to five parts, like "
            "3.5 - 10; 20 - 25.",
        ),
    ),
    metrics=(
        Metric(name="long accuracy", where={"view": "long"}),
        Metric(name="clue accuracy", where={"view": "clue"}),
        Metric(name="mIoU", part="iou", where={"view": "ground"}),
        Metric(name="rec@IoU", part="rec", where={"view": "ground"}),
        Metric(name="acc@IoU", formula="right_and_found", of=("long", "ground")),
        Metric(name="CRR", formula="recovery", of=("long accuracy", "clue accuracy")),
    ),
    questions=3000,
    videos=1118,
    type_facet="domain",
    notes=(
        "Published settings show subtitles and the times of frames; here are no subtitles.",
        "Clues alone are shown one after the other, with their times in the video.",
    ),
)
