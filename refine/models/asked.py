"""Filters that ask a language model behind any engine: the judge, and the way back into English."""

import atexit
import json
import re
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from enum import StrEnum
from functools import cache
from importlib import resources

import yaml
from pydantic import ConfigDict

from palo.engines.open import open_engine, signature
from palo.engines.stream import Engine, Message, Request, Result, Sampling, Weights
from palo.languages import info
from palo.schemas import Finding, Verdict
from palo.settings import AskedModel, BackTranslationSettings, EngineKind, Section
from refine.filters import quoted
from refine.models import ModelFilter

_FENCE = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL)
_REASON_CHARS = 200


@cache
def prompts() -> dict[str, str]:
    """What models are asked, by filter."""
    text = resources.files(__package__).joinpath("prompts.yaml").read_text("utf-8")
    table: dict[str, str] = yaml.safe_load(text)
    return table


class AskingFilter(ModelFilter):
    """Opens the engine at the first question and keeps it until the process ends.

    `engine` stands in for the one that the settings name; its owner closes it.
    """

    def __init__(self, settings: AskedModel, engine: Engine | None = None) -> None:
        super().__init__()
        self._asked, self._engine = settings, engine

    @abstractmethod
    def parts(self, english: str, target: str) -> dict[str, str]:
        """What the prompt says of one pair, beside the language."""

    @abstractmethod
    def heard(self, answer: str, english: str) -> Finding | None:
        """What a whole answer finds."""

    def inputs(self) -> list[object]:
        """The weights where they are here, else the name on the server."""
        asked, server = self._asked, self._asked.server
        if asked.engine.loads_weights:
            weights = Weights(asked.model, asked.revision)
            return [self.name, str(signature(weights, asked.for_engine()))]
        if asked.engine is EngineKind.OPENAI:
            name = server.model or asked.model
            return [self.name, f"{server.base_url}|{name}|{server.version}|{asked.max_tokens}"]
        return [self.name, str(asked.engine)]

    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        """Raises UserError or MissingResource where the engine as a whole cannot be used."""
        sampling, language = Sampling(self._asked.max_tokens), info(lang).name
        requests = [
            Request(str(at), (Message("user", prompt),), sampling)
            for at, prompt in enumerate(
                prompts()[self.name].format(language=language, **self.parts(*pair))
                for pair in texts
            )
        ]
        if self._engine is None:
            settings = self._asked.for_engine()
            weights = Weights(settings.model, settings.revision)
            stack = ExitStack()
            self._engine = stack.enter_context(open_engine(settings.engine, weights, settings))
            atexit.register(stack.close)
        answers = {answer.tag: answer for answer in self._engine.stream(requests)}
        return [
            self._finding(answers.get(request.tag), english)
            for request, (english, _) in zip(requests, texts, strict=True)
        ]

    def _finding(self, answer: Result | None, english: str) -> Finding | None:
        if answer is None:
            return self.not_judged("the engine gave no answer")
        if answer.error:
            return self.not_judged(answer.error)
        if answer.finish_reason == "length":
            return self.not_judged("the answer was cut off at max_tokens")
        if not answer.text.strip():
            return self.not_judged("the answer is empty")
        return self.heard(answer.text, english)

    def not_judged(self, why: str) -> Finding:
        """What a model could not judge is a person's matter; it never passes."""
        return self.finding(Verdict.REVIEW, f"could not be judged: {why}")


class BackTranslationFilter(AskingFilter):
    """sacrebleu's sentence chrF (Popović 2015; 0 to 100) of the way back against the English.

    Two good translations differ in words, so only a low score says anything; the default of 30 is
    no published figure and must be calibrated on verified pairs, for each engine.
    """

    name = "back_translation"
    about = "translated back into English, it says something else"

    def __init__(self, settings: BackTranslationSettings, engine: Engine | None = None) -> None:
        super().__init__(settings, engine)
        self._min_chrf = settings.min_chrf

    def inputs(self) -> list[object]:
        return [*super().inputs(), self._min_chrf]

    def parts(self, english: str, target: str) -> dict[str, str]:
        return {"target": target}

    def heard(self, answer: str, english: str) -> Finding | None:
        from sacrebleu.metrics.chrf import CHRF

        back = answer.strip()
        score = CHRF().sentence_score(back, [english]).score
        if score >= self._min_chrf:
            return None
        said = f"back in English it reads {quoted(back, 80)} (chrF {score:.0f})"
        return self.finding(Verdict.REVIEW, said, score)


class Grade(StrEnum):
    GOOD = "good"
    MINOR = "minor"
    MAJOR = "major"


class Opinion(Section):
    """What the judge must answer: this object alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    verdict: Grade
    reason: str = ""


class JudgeFilter(AskingFilter):
    """A model alone rejects nothing: major is review, minor a note.

    Whatever is not the one JSON object that was asked for is review: an answer that a text under
    judgement talked the model into must not pass.
    """

    name = "judge"
    about = "a language model finds that the meaning is not kept"

    def parts(self, english: str, target: str) -> dict[str, str]:
        """Quoted as JSON, so that no text can end its own quotation."""
        pair = {"english": english, "translation": target}
        return {"pair": json.dumps(pair, ensure_ascii=False)}

    def heard(self, answer: str, english: str) -> Finding | None:
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
    except (ValueError, RecursionError):
        return None
