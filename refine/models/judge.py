"""A language model says whether the translation keeps the meaning."""

import json
from collections.abc import Sequence
from enum import StrEnum

import regex
from pydantic import ConfigDict, ValidationError

from palo.engines.stream import Engine
from palo.languages import info
from palo.schemas import Finding, Verdict
from palo.settings import JudgeSettings, Section
from refine.filters.contract import quoted
from refine.models.asking import Asked, failure
from refine.models.column import ColumnFilter
from refine.models.prompts import prompt

_FENCE = regex.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", regex.DOTALL)
_REASON_CHARS = 200


class Grade(StrEnum):
    GOOD = "good"
    MINOR = "minor"
    MAJOR = "major"


class Opinion(Section):
    """What the model must answer: this object alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    verdict: Grade
    reason: str = ""


class JudgeFilter(ColumnFilter):
    """A model alone rejects nothing: major is review, minor a note.

    Whatever is not the one JSON object that was asked for is review: an answer that a text under
    judgement talked the model into must not pass.
    """

    name = "judge"
    about = "a language model finds that the meaning is not kept"

    def __init__(self, settings: JudgeSettings, engine: Engine | None = None) -> None:
        self._asked = Asked(settings, engine)

    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        language = info(lang).name
        prompts = [
            prompt("judge", language=language, pair=_as_json(english, target))
            for english, target in texts
        ]
        return [
            self.not_judged(why) if (why := failure(answer)) else self._found(answer.text)
            for answer in self._asked.ask(prompts)
        ]

    def _found(self, answer: str) -> Finding | None:
        opinion = parse_opinion(answer)
        if opinion is None:
            return self.not_judged(f"the judge answered {quoted(answer, 80)}")
        if opinion.verdict is Grade.GOOD:
            return None
        verdict = Verdict.NOTE if opinion.verdict is Grade.MINOR else Verdict.REVIEW
        said = quoted(opinion.reason, _REASON_CHARS)[1:-1] or "no reason was given"
        return self.finding(verdict, f"{opinion.verdict}: {said}")


def parse_opinion(answer: str) -> Opinion | None:
    """The one JSON object, bare or in a code fence; None for anything else."""
    text = answer.strip()
    if fenced := _FENCE.match(text):
        text = fenced.group(1)
    try:
        return Opinion.model_validate(json.loads(text))
    except (ValueError, RecursionError, ValidationError):
        return None


def _as_json(english: str, target: str) -> str:
    """Quoted as JSON, so that no text can end its own quotation."""
    return json.dumps({"english": english, "translation": target}, ensure_ascii=False)
