"""A laboratory: OUT holds `ARM/seed-N/` (a run and its `eval/`), `start/`, `lab.json` and `index.html`.

Seeds come before recipes, so that a lab that was stopped has whole seeds. Repeating the command goes on; more seeds
join those there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from reelgym import __version__
from reelgym.data.files import make_folder, replacing
from reelgym.errors import RequestError
from reelgym.evaluation import results
from reelgym.evaluation.results import Evaluation
from reelgym.lab import arms, controls, costs, endpoints
from reelgym.lab.arms import Arm, folder_name
from reelgym.lab.endpoints import Endpoints
from reelgym.lab.findings import START, findings
from reelgym.reports.report import report
from reelgym.training.config import RLRun

Progress = Callable[[int, int], None]
Stages = Callable[[str], Progress]
Stop = Callable[[], bool]

_FILES = {endpoints.PUZZLES: "puzzles", endpoints.QUESTIONS: "questions"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much a lab spends. All numbers are ours.

    Attributes:
        seeds: How many; run N trains under seed N, from 0.
        steps: Updates of every run; a recipe's own `steps=N` comes before it.
        evals: Times that a run is measured while it trains, for its curve.
        videos: Held-out videos of both endpoints; `per_video` the most puzzles, and questions, of each.
        max_tokens: Cap of a reply to an endpoint.
        start: What all recipes start from.
    """

    seeds: int = 3
    steps: int = 40
    evals: int = 4
    videos: int = 80
    per_video: int = 3
    max_tokens: int = 64
    start: str = "tiny"

    def __post_init__(self) -> None:
        """Refuse a lab of nothing."""
        if min(self.seeds, self.steps, self.evals, self.videos, self.per_video) < 1:
            raise RequestError(f"seeds={self.seeds}, steps={self.steps}: a lab takes at least one of each")

    @staticmethod
    def quick(*, seeds: int = 2, start: str = "") -> Settings:
        """Return what answers in minutes, and sees large differences only."""
        return Settings(seeds=seeds, steps=20, evals=2, videos=24, per_video=3, start=start)


@dataclass(frozen=True, kw_only=True)
class Hands:
    """What does the work: a test gives other hands.

    Attributes:
        train: Trains a run into a folder, or takes it up; asked to stop after every step.
        prepare: Returns the endpoints for a number of videos and of questions of each.
        ask: Returns a policy's replies to the endpoints.
    """

    train: Callable[[RLRun, Path, Progress, Stop], Any]
    prepare: Callable[[int, int], Endpoints]
    ask: Callable[[str, Endpoints, int], dict[str, Evaluation]]


def run(
    recipes: Sequence[str],
    out: str | Path,
    *,
    settings: Settings | None = None,
    hands: Hands | None = None,
    progress: Stages | None = None,
    should_stop: Stop | None = None,
) -> dict[str, Any]:
    """Compare recipes, and return what `lab.json` holds; empty where it was stopped.

    Args:
        recipes: `NAME`, `NAME:key=value,key=value` or `path.py:function` each.
        out: The lab's folder.
        settings: How much it spends.
        hands: What trains and asks.
        progress: From a stage's name to what is told (done, total).
        should_stop: Asked after every step.

    Raises:
        RequestError: Unequal compute, another lab in the folder, a recipe that does not exist.
    """
    lab = Lab(arms.parse_all(recipes), Path(out), settings or Settings())
    stop: Stop = should_stop or (lambda: False)
    stages: Stages = progress or (lambda _: lambda done, total: None)
    hands = hands or working()
    lab.open()
    for seed in range(lab.settings.seeds):
        runs = lab.runs(seed)
        arms.refuse_unequal({arm.name: runs[arm.name] for arm in lab.arms})
        for name, one in runs.items():
            if stop():
                return {}
            hands.train(one, lab.place(name, seed), stages(f"train {name}, seed {seed}"), stop)
    if stop():
        return {}
    replies = lab.replies(hands, stages)
    found = lab.numbers(replies)
    with replacing(lab.folder / "lab.json") as temporary:
        temporary.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    report(lab.folder, lab.folder / "index.html")
    return found


def plan(
    recipes: Sequence[str],
    out: str | Path,
    settings: Settings,
    *,
    rehearse: Callable[[str, RLRun], Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return what a lab would do, having trained nothing: its runs, what they generate at most, and what differs.

    Args:
        recipes: As `run` takes them.
        out: The lab's folder.
        settings: How much it would spend.
        rehearse: Returns the `seconds` of a run and its `peak_bytes`, asked for every run of one seed; the plan then
            has `seconds_each`, `seconds` of all seeds, evaluations and the reader's part left out, and `peak_bytes`.

    Raises:
        RequestError: Unequal settings; source videos are compared when the lab runs.
    """
    lab = Lab(arms.parse_all(recipes), Path(out), settings)
    runs = lab.runs(0)
    plain = {arm.name: runs[arm.name] for arm in lab.arms}
    arms.refuse_unequal(plain, videos=False)
    config = plain[lab.arms[0].name].config
    completions = config.steps * config.prompts_per_step * config.group_size
    there = sum((lab.place(name, n) / "checkpoints").is_dir() for name in runs for n in range(settings.seeds))
    told = {name: rehearse(name, one) for name, one in runs.items()} if rehearse else {}
    each = {name: one["seconds"] for name, one in told.items()}
    timed = {
        "seconds_each": each,
        "seconds": sum(each.values()) * settings.seeds,
        "peak_bytes": max((one["peak_bytes"] for one in told.values()), default=0),
    }
    return {
        "start": lab.settings.start,
        "runs": len(runs) * settings.seeds,
        "begun": there,
        "steps": config.steps,
        "completions_each": completions,
        "tokens_each_at_most": completions * config.max_completion_tokens,
        "seeds": settings.seeds,
        "endpoint_videos": settings.videos,
        **(timed if told else {}),
        "differing": [list(row) for row in arms.differing(plain)],
    }


class Lab:
    """Recipes, controls and folders of one lab."""

    def __init__(self, compared: Sequence[Arm], folder: Path, settings: Settings) -> None:
        """Hold what is compared, where, and how much it may spend."""
        self.arms, self.folder, self.settings = list(compared), folder.absolute(), settings

    def open(self) -> None:
        """Make the folder, or take it up.

        Raises:
            RequestError: It holds another lab; the number of seeds may differ.
        """
        spent = {name: value for name, value in asdict(self.settings).items() if name != "seeds"}
        asked = {"recipes": [arm.name for arm in self.arms], **spent, "version": __version__}
        path = make_folder(self.folder) / "asked.json"
        if path.is_file():
            before = json.loads(path.read_text(encoding="utf-8"))
            changed = [f"{key} was {before.get(key)}, is {now}" for key, now in asked.items() if before.get(key) != now]
            if changed:
                raise RequestError(f"{self.folder} holds another lab ({'; '.join(changed)}): give another --out")
            return
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(asked) + "\n", encoding="utf-8")

    def runs(self, seed: int) -> dict[str, RLRun]:
        """Return the runs of one seed by name: the recipes, then the controls."""
        steps, evals = self.settings.steps, self.settings.evals
        every = str(max(1, steps // evals))
        common = {"seed": str(seed), "steps": str(steps), "eval_every": every, "save_every": every}
        common |= {"health_every": every}
        if self.settings.start != "tiny":
            common |= {"model": self.settings.start}
        if not self.settings.start.startswith("tiny"):
            common |= {"size": "tiny"}
        found = {arm.name: arm.run(common) for arm in self.arms}
        # The controls get what the recipes get, whatever steps they were given.
        own = next(iter(found.values())).config
        plain = Arm("mvp", "mvp").run(common)
        plain = replace(plain, config=replace(plain.config, steps=own.steps, prompts_per_step=own.prompts_per_step))
        plain = replace(plain, config=replace(plain.config, group_size=own.group_size))
        return found | {controls.POSITIVE: controls.positive(plain), controls.NEGATIVE: controls.negative(plain)}

    def place(self, name: str, seed: int) -> Path:
        """Return the folder of a run."""
        return self.folder / folder_name(name) / f"seed-{seed}"

    @property
    def names(self) -> list[str]:
        """All that is trained: recipes, then controls."""
        return [*(arm.name for arm in self.arms), *controls.NAMES]

    def replies(self, hands: Hands, stages: Stages) -> dict[str, dict[str, list[Evaluation]]]:
        """Return the replies by endpoint and arm, one evaluation per seed, asked where they are not stored."""
        seeds = range(self.settings.seeds)
        places = {name: [self.place(name, seed) for seed in seeds] for name in self.names}
        tell, total = stages("ask the endpoints"), len(self.names) * len(seeds) + 1
        made = endpoints_once(hands, self.settings)
        found = {START: [self._asked(self.settings.start, self.folder / "start", hands, made)] * len(seeds)}
        tell(1, total)
        for name, runs in places.items():
            found[name] = []
            for one in runs:
                found[name].append(self._asked(_last(one), one / "eval", hands, made))
                tell(1 + sum(map(len, found.values())) - len(seeds), total)
        return {end: {name: [each[end] for each in of] for name, of in found.items()} for end in endpoints.NAMES}

    def _asked(self, policy: str, folder: Path, hands: Hands, made: Callable[[], Endpoints]) -> dict[str, Evaluation]:
        if not (folder / "results.json").is_file():
            found = hands.ask(policy, made(), self.settings.max_tokens)
            results.write(folder, {_FILES[name]: one for name, one in found.items()})
        stored = results.read(folder)
        return {name: stored[file] for name, file in _FILES.items()}

    def numbers(self, replies: Mapping[str, Mapping[str, Sequence[Evaluation]]]) -> dict[str, Any]:
        """Return what `lab.json` holds."""
        recipes, seeds = [arm.name for arm in self.arms], range(self.settings.seeds)
        runs = self.runs(0)
        spent = {name: [costs.spent(self.place(name, seed)) for seed in seeds] for name in self.names}
        return {
            "version": __version__,
            "recipes": recipes,
            "start": self.settings.start,
            "settings": asdict(self.settings),
            "steps": runs[recipes[0]].config.steps,
            "folders": {
                name: [str(self.place(name, n).relative_to(self.folder)) for n in seeds] for name in self.names
            },
            "endpoints": {end: findings(replies[end], recipes) for end in endpoints.NAMES},
            "spent": {
                name: {key: sum(one[key] for one in of) / len(of) for key in of[0]} for name, of in spent.items()
            },
            "differing": [list(row) for row in arms.differing({name: runs[name] for name in recipes})],
        }


def endpoints_once(hands: Hands, settings: Settings) -> Callable[[], Endpoints]:
    """Return what gives the endpoints, made when first asked for."""
    made: list[Endpoints] = []

    def give() -> Endpoints:
        if not made:
            made.append(hands.prepare(settings.videos, settings.per_video))
        return made[0]

    return give


def working() -> Hands:
    """Return the hands that train and ask."""
    from reelgym.training import rl

    def train(one: RLRun, out: Path, progress: Progress, stop: Stop) -> None:
        rl.train(one, out, progress, should_stop=stop)

    return Hands(train=train, prepare=endpoints.prepare, ask=endpoints.ask)


def _last(run: Path) -> str:
    """Return the run's last checkpoint: what is measured is not chosen by what it is measured on."""
    steps = [int(path.name[5:]) for path in (run / "checkpoints").glob("step-*")]
    return f"{run}@step-{max(steps)}"
