"""The endpoint judge: a language model behind an endpoint reads question and observation, and never a pixel.

Reference: the sufficiency prompt of VideoP2R (Jiang et al., arXiv 2511.11113) gives the judge the question, the right
answer and the observation, has it explain in brief and end in a verdict under a tag; the wording here is ours. `blind`
is ours too: the judge does not see the right answer, gives its own, and that is scored by the task.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from reelgym import tasks
from reelgym.data.messages import Clip, Message, Text
from reelgym.data.sample import Sample
from reelgym.errors import WorkError
from reelgym.judges.leaks import leak
from reelgym.rewards.perception import Case, Judge, JudgeConfig, Lent, Verdict
from reelgym.rollout.chat import KEY_ENV, Chat, ChatRequest, Endpoint, Reply
from reelgym.rollout.paid import Journal
from reelgym.scoring import Score, answer_text
from reelgym.scoring.choice import LETTERS

_VERDICT = re.compile(r"<judgement>\s*(yes|no)\s*\.?\s*</judgement>", re.IGNORECASE)
_ANY = re.compile(r"</?judgement>", re.IGNORECASE)

_TOLD = (
    "A question was asked about {medium} that you cannot see. Somebody who saw it wrote down an observation.\n\n"
    "Question:\n{question}\n\n{key}Observation:\n{observation}\n\n"
)
SUFFICIENCY = _TOLD + (
    "Can the correct answer be deduced from the observation alone, with no further assumption and nothing added from "
    "elsewhere? An observation that only asserts the answer does not suffice. Explain in a few sentences, then end "
    "with <judgement>yes</judgement> or <judgement>no</judgement>."
)
BLIND = _TOLD + (
    "Answer the question from the observation alone, with no further assumption. Explain in a few sentences, then "
    "write your answer as <answer>the answer only</answer>, and end with <judgement>yes</judgement> if the observation "
    "suffices for it, or <judgement>no</judgement>."
)
AGAIN = "Your reply ended in no verdict. Reply with <judgement>yes</judgement> or <judgement>no</judgement> alone."


def verdict_of(text: str) -> bool | None:
    """Return what the last words of a reply decide; None where it holds not exactly one whole verdict.

    >>> verdict_of("It names the colour. <judgement>Yes</judgement>"), verdict_of("<judgement>yes")
    (True, None)
    """
    found = _VERDICT.findall(text)
    if len(found) != 1 or len(_ANY.findall(text)) != 2:
        return None
    return bool(found[0].lower() == "yes")


def question_of(sample: Sample) -> str:
    """Return the text of a question, its media left out."""
    texts = [part.text for message in sample.messages for part in message.parts if isinstance(part, Text)]
    return "\n".join(text.strip() for text in texts if text.strip())


def key_of(sample: Sample) -> str:
    """Return the right answer as a person reads it; of a choice with its text."""
    gold = tasks.get(sample.task).gold(sample)
    options = sample.evidence.get("options")
    if isinstance(options, list) and gold in LETTERS[: len(options)]:
        return f"{gold}. {options[LETTERS.index(gold)]}"
    return gold


class EndpointJudge:
    """Judges by asking an endpoint; replies come out of the client's journal where they are there already.

    A reply that ends in no verdict is asked for once more, for the verdict alone; then `fallback` decides, or nobody.

    Attributes:
        again: What is said to ask for the verdict alone.
    """

    again = AGAIN

    def __init__(
        self,
        chat: Chat,
        *,
        blind: bool = False,
        threshold: float = 0.6,
        max_tokens: int = 512,
        leaks: bool = False,
        fallback: Judge | None = None,
        log: str | Path | None = None,
    ) -> None:
        """Name the endpoint and how it judges.

        Args:
            chat: The client: its retries, time-out and journal are the judge's.
            blind: Whether it judges without the right answer.
            threshold: What the task must give its own answer, where it is blind.
            max_tokens: Cap of its reply.
            leaks: Whether observations that state an answer (`judges.leaks`) are worth 0, unasked and counted.
            fallback: Who decides where no verdict comes.
            log: File that every verdict is appended to.
        """
        self.chat, self.blind = chat, blind
        self._threshold, self._max_tokens, self._fallback, self._log = threshold, max_tokens, fallback, log
        self._leaks = leaks
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Return the model's name, and whether it judges blind."""
        return f"{self.chat.endpoint.model}{' (blind)' if self.blind else ''}"

    def close(self) -> None:
        """Let its journal go, for another judge to take up."""
        self.chat.close()

    @property
    def step(self) -> str:
        """Return what its requests are counted under."""
        return "blind" if self.blind else "sufficiency"

    def judge(self, cases: Sequence[Case]) -> list[Verdict]:
        """Return one verdict per observation, in order; as many requests in flight as the endpoint takes."""
        found = dict(self.chat.each(list(cases), self.one))
        return [found[place] for place in range(len(cases))]

    def one(self, case: Case) -> Verdict:
        """Return the verdict on one observation.

        Its counts say whether the fallback decided (`fallback`), whether a verdict is wanting because the endpoint did
        not answer, which asking again may mend (`unanswered`), and whether the observation states an answer (`leak`).
        """
        if case.observation is None or not case.observation.strip():
            return _verdict(0.0, "no observation")
        if self._leaks and (why := leak(case.observation, case.sample)):
            verdict = _verdict(0.0, f"the observation states an answer: {why}", stated=True)
            self._note(case, verdict)
            return verdict
        request = self._request(case)
        reply = self.chat.ask(request, self.step)
        said = self.read(reply.text) if reply.outcome == "ok" else None
        if said is None and reply.outcome in ("ok", "cut_off", "empty"):
            said = self._again(request, reply)
        verdict = self._fall_back(case, reply) if said is None else self._decided(case, reply, said)
        self._note(case, verdict)
        return verdict

    def read(self, text: str) -> bool | None:
        """Return what a reply decides; None where it ends in no verdict."""
        return verdict_of(text)

    def _request(self, case: Case) -> ChatRequest:
        sample = case.sample
        shown = [part for message in sample.messages for part in message.parts if not isinstance(part, Text)]
        medium = "a video" if any(isinstance(part, Clip) for part in shown) else "an image"
        text = (BLIND if self.blind else SUFFICIENCY).format(
            medium=medium,
            question=question_of(sample),
            key="" if self.blind else f"Correct answer:\n{key_of(sample)}\n\n",
            observation=(case.observation or "").strip(),
        )
        return ChatRequest(messages=(Message("user", (Text(text),)),), max_tokens=self._max_tokens)

    def _again(self, request: ChatRequest, reply: Reply) -> bool | None:
        messages = (*request.messages, Message("assistant", (Text(reply.text),)), Message("user", (Text(self.again),)))
        second = self.chat.ask(ChatRequest(messages=messages, max_tokens=32), f"{self.step} again")
        return self.read(second.text) if second.outcome == "ok" else None

    def _decided(self, case: Case, reply: Reply, said: bool) -> Verdict:
        reason = " ".join(reply.text.split())
        if not (self.blind and said):
            return _verdict(float(said), reason)
        score = _own_answer(reply.text, case.sample)
        if score is None or not score.valid:
            return _verdict(0.0, f"its own answer cannot be read: {reason}")
        right = score.value >= self._threshold
        return _verdict(
            float(right), reason if right else f"its answer {score.parsed!r} earns {score.value:.3g}: {reason}"
        )

    def _fall_back(self, case: Case, reply: Reply) -> Verdict:
        why = f"no verdict ({reply.reason or reply.outcome}): {' '.join(reply.text.split())[-200:]}"
        if self._fallback is None:
            return _verdict(None, why, unanswered=reply.transient)
        (other,) = self._fallback.judge([case])
        return _verdict(other.score, f"{why}; {other.reason}", fallback=True)

    def _note(self, case: Case, verdict: Verdict) -> None:
        if self._log is None:
            return
        line = {"id": case.sample.id, "key": case.key, "observation": case.observation, **verdict.to_json()}
        try:
            with self._lock, Path(self._log).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, sort_keys=True) + "\n")
        except OSError as error:
            raise WorkError(f"cannot write {self._log} ({error.strerror}): make room, then repeat") from error


def _verdict(
    score: float | None, reason: str, *, fallback: bool = False, unanswered: bool = False, stated: bool = False
) -> Verdict:
    counts = {"fallback": fallback, "unanswered": unanswered, "leak": stated}
    return Verdict(score, reason, {name: float(value) for name, value in counts.items()})


def _own_answer(text: str, sample: Sample) -> Score | None:
    """Return the score of the answer a blind judge wrote; None where there is not exactly one."""
    answer = answer_text(_VERDICT.sub("", text)) if "<answer>" in text else None
    return None if answer is None else tasks.get(sample.task).score(answer, sample)


@dataclass(frozen=True)
class Asked(JudgeConfig):
    """A model behind an endpoint as the judge of a run (VideoP2R, arXiv 2511.11113).

    Attributes:
        url: Base address of the endpoint.
        model: The model there.
        key_env: Environment variable that holds the key.
        in_flight: Requests at a time.
        retries: Further attempts of a request that failed.
        timeout_seconds: Longest time for one attempt.
        blind: Whether it judges without the right answer.
        leaks: Whether observations that state an answer are worth 0 and are not asked about. Ours: to a judge that
            knows the key such an observation suffices.
        max_tokens: Cap of its reply.
        fallback: Who decides where no verdict comes: `none` (perception then does not apply) or `text-match`.
        journal: File that keeps every reply, so that no question is paid twice; `RUN/judge-replies.jsonl` where empty.
            One process writes a file: those of other ranks end in `-RANK.jsonl`.
        log: File that every verdict is appended to; none where empty.
    """

    name: ClassVar[str] = "endpoint"
    url: str = "http://localhost:8000/v1"
    model: str = ""
    key_env: str = KEY_ENV
    in_flight: int = 16
    retries: int = 6
    timeout_seconds: float = 120.0
    blind: bool = False
    leaks: bool = True
    max_tokens: int = 512
    fallback: Literal["none", "text-match"] = "none"
    journal: str = ""
    log: str = ""

    def open(self, lent: Lent) -> EndpointJudge:
        """Return the judge; outside a run and without `journal` it keeps no replies."""
        from reelgym.judges.match import TextMatchJudge

        at = Endpoint(
            url=self.url,
            model=self.model,
            key_env=self.key_env,
            in_flight=self.in_flight,
            retries=self.retries,
            timeout_seconds=self.timeout_seconds,
        )
        return EndpointJudge(
            Chat(at, Journal(place) if (place := self.kept(lent)) else None),
            blind=self.blind,
            leaks=self.leaks,
            max_tokens=self.max_tokens,
            fallback=TextMatchJudge() if self.fallback == "text-match" else None,
            log=self.log or None,
        )

    def kept(self, lent: Lent) -> Path | None:
        """Return the file that keeps the replies; None without `journal` outside a run."""
        if not self.journal and lent.folder is None:
            return None
        place = Path(self.journal) if self.journal else (lent.folder or Path()) / "judge-replies.jsonl"
        return place.with_stem(f"{place.stem}-{lent.rank}") if lent.rank else place
