"""How well a judge agrees with what is known: accuracy, Cohen's kappa, and who is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reelgym.errors import RequestError
from reelgym.rewards.perception import Verdict


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """A judge against the truth.

    Attributes:
        judge: Its name.
        right_yes: Sufficient observations that it takes for sufficient.
        wrong_yes: Insufficient ones that it takes for sufficient.
        right_no: Insufficient ones that it takes for insufficient.
        wrong_no: Sufficient ones that it takes for insufficient.
        silent: Observations without a verdict; they count in nothing else.
    """

    judge: str
    right_yes: int
    wrong_yes: int
    right_no: int
    wrong_no: int
    silent: int = 0

    @property
    def rows(self) -> int:
        """Verdicts that came."""
        return self.right_yes + self.wrong_yes + self.right_no + self.wrong_no

    @property
    def accuracy(self) -> float | None:
        """Share of right verdicts; None without any."""
        return (self.right_yes + self.right_no) / self.rows if self.rows else None

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa: (accuracy - chance) / (1 - chance), chance from both sides' shares of yes.

        None where it says nothing: no verdict, or both sides always say the same.
        """
        if self.accuracy is None:
            return None
        said = (self.right_yes + self.wrong_yes) / self.rows
        true = (self.right_yes + self.wrong_no) / self.rows
        chance = said * true + (1 - said) * (1 - true)
        return None if chance >= 1 else (self.accuracy - chance) / (1 - chance)

    def to_json(self) -> dict[str, Any]:
        """Return counts, accuracy and kappa as JSON values."""
        return asdict(self) | {"accuracy": self.accuracy, "kappa": self.kappa}


def agreement(verdicts: Sequence[Verdict], truth: Sequence[bool], judge: str) -> Agreement:
    """Return how verdicts agree with the truth.

    Args:
        verdicts: Of one judge; a score of 0.5 or more is a yes.
        truth: Whether each observation does suffice.
        judge: Its name.

    Raises:
        RequestError: They are not equally many, or none.
    """
    if not verdicts or len(verdicts) != len(truth):
        raise RequestError(f"{len(verdicts)} verdicts and {len(truth)} truths: give equally many, at least one")
    pairs = [
        (verdict.score >= 0.5, right)
        for verdict, right in zip(verdicts, truth, strict=True)
        if verdict.score is not None
    ]
    return Agreement(
        judge=judge,
        right_yes=pairs.count((True, True)),
        wrong_yes=pairs.count((True, False)),
        right_no=pairs.count((False, False)),
        wrong_no=pairs.count((False, True)),
        silent=len(verdicts) - len(pairs),
    )


def markdown(found: Sequence[Agreement]) -> str:
    """Return a table with one row per judge."""
    head = (
        "| Judge | Accuracy | Kappa | Yes, right | Yes, wrong | No, right | No, wrong | No verdict |\n"
        + "| --- " * 8
        + "|"
    )
    rows = [
        f"| {one.judge} | {_shown(one.accuracy)} | {_shown(one.kappa)} | {one.right_yes} | {one.wrong_yes} | "
        f"{one.right_no} | {one.wrong_no} | {one.silent} |"
        for one in found
    ]
    return "\n".join([head, *rows])


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
