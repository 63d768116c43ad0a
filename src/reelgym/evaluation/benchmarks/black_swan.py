"""Black Swan, multiple choice: what happened unseen, and in full (arXiv 2412.05725). Schema from its card."""

from reelgym.evaluation.spec import Benchmark, Columns, Metric, Reference, Source, View

BLACK_SWAN_MCQ = Benchmark(
    name="black-swan-mcq",
    title="Black Swan (multiple choice, validation)",
    about="Three options about surprising events, seen before and after (detective) or whole (reporter)",
    paper="arXiv 2412.05725",
    access="agreement",
    licence="CC-BY-NC-SA-4.0",
    source=Source(
        hub="UBC-ViL/BlackSwanSuite-MCQ",
        split="validation",
        files=("BlackSwanSuite_MCQ_Val.jsonl", "*Val*.jsonl", "mcq_list*.json"),
    ),
    columns=Columns(
        id="{q_id}",
        video=(),
        question="{default_question}",
        options="mcq_options",
        answer="mcq_gt_option",
        form="index",
        facets={"task": "{task}", "difficulty": "{difficulty}"},
    ),
    views=(
        View(name="forecaster", where={"task": "Forecaster"}, parts=("{preevent}",)),
        View(name="detective", where={"task": "Detective"}, parts=("{preevent}", "{postevent}")),
        View(name="reporter", where={"task": "Reporter"}, parts=("{preevent}", "{event}", "{postevent}")),
    ),
    metrics=(
        Metric(name="accuracy"),
        Metric(name="detective", where={"view": "detective"}),
        Metric(name="reporter", where={"view": "reporter"}),
        Metric(name="mean of difficulties", by=("difficulty",)),
    ),
    questions=1793,
    videos=827,
    type_facet="task",
    references=(
        Reference(model="GPT-4o", metric="accuracy", score=65.1, setting="not stated", source="secondary"),
        Reference(model="humans", metric="accuracy", score=90.0, setting="not stated", source="secondary"),
    ),
    notes=(
        "The parts of a video are files of their own, shown one after the other; they share the frames of a clip.",
        "Columns preevent, event and postevent name them, as in its repository; --videos is their folder.",
        "The right answers of its test split are hidden: it is not read.",
    ),
)
