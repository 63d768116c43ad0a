"""Whether a run is well: one row of health every so many steps, and the alarms that a history of such rows raises.

Pure functions of what is stored: a run that is taken up again raises the alarms that it raised before. Every threshold
is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise

ROOM = "health/"
"""What the names of a row's numbers begin with in `metrics.jsonl`."""

LOOKS = 0.1
"""How far a blind score must rise before it counts as more than luck on a slice of some 30 samples."""
FLAT_ENTROPY = 0.05
"""Nats per token below which sampling hardly ever differs from the greedy reply."""
MANY_SILENT = 0.5
MANY_CUT = 0.2
RISEN = 0.05
"""By how much a reward must have risen to count as risen."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """A row of health; None where something was not measured.

    Attributes:
        step: When.
        score: Mean score of greedy replies to the held-out slice: the task's own, in [0, 1], where it is known.
        blind: The same with every frame grey.
        chance: What a guesser scores there.
        error: Standard error of `score` over the slice.
        invalid: Share of those replies that hold no answer.
        no_signal: Share of the training groups since the row before whose scores do not differ.
        entropy: Of sampling, nats per token, since the row before.
        kl: Divergence from the starting policy, nats per token.
        truncated: Share of the completions since the row before that were cut at the cap.
        tokens: Their mean length.
        reward: What they were paid.
    """

    step: int
    score: float | None = None
    blind: float | None = None
    chance: float | None = None
    error: float | None = None
    invalid: float | None = None
    no_signal: float | None = None
    entropy: float | None = None
    kl: float | None = None
    truncated: float | None = None
    tokens: float | None = None
    reward: float | None = None

    def to_row(self) -> dict[str, float]:
        """Return what was measured under its names in `metrics.jsonl`."""
        return {f"{ROOM}{name}": value for name, value in asdict(self).items() if name != "step" and value is not None}

    def words(self) -> str:
        """Return the row as one line."""
        shown = [f"step {self.step}:"]
        if self.score is not None:
            guess = "" if self.chance is None else f", chance {self.chance:.2f}"
            blind = "not measured" if self.blind is None else f"{self.blind:.2f}"
            shown.append(f"score {self.score:.2f} (blind {blind}{guess}), invalid {_share(self.invalid)},")
        if self.no_signal is not None:
            shown.append(f"groups without signal {_share(self.no_signal)}, entropy {_plain(self.entropy)},")
            kl = "not measured" if self.kl is None else f"{self.kl:.4f}"
            shown.append(f"KL {kl}, cut off {_share(self.truncated)}, {_plain(self.tokens, 0)} tokens")
        return " ".join(shown).rstrip(",")


@dataclass(frozen=True)
class Alarm:
    """A rule that held for the first time at a step, with what was seen."""

    step: int
    name: str
    seen: str
    cause: str
    remedy: str

    def words(self) -> str:
        """Return the alarm as one line."""
        return f"ALARM, step {self.step}: {self.name} ({self.seen}). Cause: {self.cause}. Remedy: {self.remedy}."


@dataclass(frozen=True)
class Rule:
    """An alarm: its name, what of a history raises it (in words; nothing where it is well), cause and remedy."""

    name: str
    seen: Callable[[Sequence[Health]], str]
    cause: str
    remedy: str


def history(rows: Sequence[Mapping[str, float | None]]) -> list[Health]:
    """Return the rows of health among rows of `metrics.jsonl`, in order."""
    names = [field.name for field in fields(Health) if field.name != "step"]
    return [
        Health(step=int(row["step"] or 0), **{name: row.get(f"{ROOM}{name}") for name in names})
        for row in rows
        if any(name.startswith(ROOM) for name in row)
    ]


def alarms(rows: Sequence[Health]) -> list[Alarm]:
    """Return every alarm of a history, once each, at the first row at which its rule held."""
    found: dict[str, Alarm] = {}
    for end in range(1, len(rows) + 1):
        for rule in RULES:
            if rule.name not in found and (seen := rule.seen(rows[:end])):
                found[rule.name] = Alarm(rows[end - 1].step, rule.name, seen, rule.cause, rule.remedy)
    return list(found.values())


def blind_rises(rows: Sequence[Health]) -> str:
    """Tell of a blind score that rose, twice in a row, by `LOOKS` and by half of what the seen one gained.

    It is counted from its start or from chance, whichever is higher: learning the form of a reply lifts it to chance.
    """
    known = [(row.score, row.blind, row.chance) for row in rows if row.score is not None and row.blind is not None]
    if len(known) < 3:
        return ""
    first_score, first_blind, chance = known[0]
    floor = max(first_blind, chance or 0.0)
    for score, blind, _ in known[-2:]:
        gained = score - first_score
        if not (gained > 0 and blind - floor >= max(LOOKS, gained / 2)):
            return ""
    return f"seen {first_score:.2f} to {known[-1][0]:.2f}, blind {first_blind:.2f} to {known[-1][1]:.2f}"


def entropy_collapses(rows: Sequence[Health]) -> str:
    """Tell of an entropy that stayed, twice in a row, below `FLAT_ENTROPY` and a quarter of what it began with."""
    known = [row.entropy for row in rows if row.entropy is not None]
    if len(known) < 3 or not max(known[-2:]) < min(FLAT_ENTROPY, known[0] / 4):
        return ""
    return f"{known[0]:.3f} to {known[-1]:.3f} nats a token"


def no_signal(rows: Sequence[Health]) -> str:
    """Tell of more than half of the groups without signal."""
    last = rows[-1].no_signal if rows else None
    if last is None or last <= MANY_SILENT:
        return ""
    return f"{_share(last)}, at a mean reward of {_plain(rows[-1].reward)}"


def cut_off(rows: Sequence[Health]) -> str:
    """Tell of more than a fifth of the completions cut at the cap."""
    last = rows[-1].truncated if rows else None
    return "" if last is None or last <= MANY_CUT else f"{_share(last)}, {_plain(rows[-1].tokens, 0)} tokens on average"


def parts_ways(rows: Sequence[Health]) -> str:
    """Tell of a reward that rose by `RISEN` since the held-out score was best, while that fell.

    Neighbouring rows are averaged by two; the fall must be more than twice the score's standard error, and `RISEN`.
    """
    known = [
        (row.reward, row.score, row.error or 0.0) for row in rows if row.reward is not None and row.score is not None
    ]
    if len(known) < 4:
        return ""
    pairs = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, max(a[2], b[2])) for a, b in pairwise(known)]
    (reward, score, error), earlier = pairs[-1], pairs[:-2]
    best = max(earlier, key=lambda pair: pair[1])
    if reward - best[0] <= RISEN or best[1] - score <= max(RISEN, 2 * max(error, best[2])):
        return ""
    return f"reward {best[0]:.2f} to {reward:.2f}, held-out score {best[1]:.2f} to {score:.2f}"


RULES = (
    Rule(
        "blind rises with seen",
        blind_rises,
        "what is paid can be earned without the video: by format, by priors of the answers, by a leak in the text",
        "stop; `reelgym inspect DATASET` and `reelgym eval DATASET --model RUN --probes blind,text_only` tell where; "
        "more distractors or another task make guessing worth less",
    ),
    Rule(
        "entropy collapses",
        entropy_collapses,
        "the policy says one thing whatever it is asked, so groups stop to differ",
        "go back to an earlier checkpoint with a lower lr, algorithm.clip_high=0.28 or kl_coef=0.01; keep "
        "temperature=1",
    ),
    Rule(
        "over half of the groups without signal",
        no_signal,
        "the prompts are too hard or too easy, so all replies to one are paid the same and teach nothing",
        "`reelgym difficulty DATASET --model M`, then band=0.1,0.9, or groups=resample order=learnable; where nearly "
        "nothing is solved, easier puzzles (`reelgym synth --set hidden=2 --set distractors=2`), where nearly all is, "
        "harder ones",
    ),
    Rule(
        "over a fifth cut off",
        cut_off,
        "replies are longer than max_completion_tokens, and a cut one can hardly earn anything",
        "raise max_completion_tokens, or set mask_truncated=true; a policy that never ends needs a cold start that "
        "teaches the form",
    ),
    Rule(
        "reward rises while held-out falls",
        parts_ways,
        "the policy learns the training videos, or a weakness of the reward, instead of the task",
        "take an earlier checkpoint (RUN@step-N; best.json names the best), train on more videos for fewer steps, or "
        "kl_coef=0.01",
    ),
)
"""All alarms, in the order in which they are told."""


def _share(value: float | None) -> str:
    return "?" if value is None else f"{100 * value:.0f}%"


def _plain(value: float | None, digits: int = 2) -> str:
    return "?" if value is None else f"{value:.{digits}f}"
