"""A model behind any OpenAI-compatible server scores each answer beside the reference answer.

Every reply is stored as it came, under a digest of the model that answered, the judge, its prompt
and everything that it was shown. Scores are read from what is stored.
"""

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from palo.engines.open import open_engine, signature
from palo.engines.stream import Engine, Message, Request, Sampling, Weights
from palo.files import digest
from palo.languages import info
from palo.settings import AnswerJudgeSettings, EngineKind, Order
from train.evaluation.bench.reading import Fault, Scores, read_scores
from train.evaluation.bench.store import Row, Store

VERSION = "1"  # raise it when the same replies give other scores, or the material another form
_PROMPT_PATH = Path(__file__).with_name("judge_prompt.yaml")


@dataclass(frozen=True)
class Case:
    """One answer to be judged; `checkpoint` is a digest of the model that gave it."""

    checkpoint: str
    question_id: str
    lang: str
    question: str
    context: str
    reference: str
    answer: str


@dataclass(frozen=True)
class Judged:
    """Scores of a case, the mean of its orders; None and why where they could not be read.

    `first_lead` is what the first place was worth to an answer, where both orders were judged.
    """

    model: float | None
    reference: float | None
    faults: tuple[Fault, ...] = ()
    attempts: int = 0
    first_lead: float | None = None
    judges: tuple[str, ...] = ()  # what the server says it asked
    said: str = ""


@dataclass(frozen=True)
class _Sitting:
    """A case in one order, and where its replies are stored."""

    case: Case
    reference_first: bool
    prompt: str
    key: str


class Judge:
    """Opened at the first case that is not judged yet."""

    def __init__(self, settings: AnswerJudgeSettings, store: Store) -> None:
        self._settings, self._store = settings, store
        self._failures: dict[str, str] = {}  # by key of what got no reply in this run: why

    def ask(self, cases: Sequence[Case], tick: Callable[[int], None]) -> None:
        """Asks for whatever is not judged yet; each reply is stored as it comes.

        Raises UserError where the server is out or refuses everything; what was judged is kept.
        """
        sittings = [one for case in cases for one in self._sittings(case)]
        tick(sum(self._is_done(one) for one in sittings))
        for _ in range(self._settings.max_attempts):
            left = [
                one for one in sittings if not self._is_done(one) and one.key not in self._failures
            ]
            if not left:
                return
            with self._opened() as engine:
                self._round(engine, left, tick)

    @property
    def failures(self) -> list[str]:
        """What the server gave no reply to in this run, and why."""
        return list(self._failures.values())

    def judged(self, case: Case) -> Judged | None:
        """What the stored replies say; None where one is still to be asked for."""
        found = []
        for one in self._sittings(case):
            if not self._is_done(one):
                return None
            found.append((one, self._store.rows(one.key)))
        return _judged(found)

    def sittings_of(self, cases: Sequence[Case]) -> int:
        """How many judgements the cases take."""
        return len(cases) * (2 if self._settings.order is Order.BOTH else 1)

    def signature(self, judges: Sequence[str] = ()) -> str:
        """What decides scores, in sacrebleu's manner; `judges` as the server named them."""
        settings = self._settings
        version = settings.server.version
        names = sorted({*judges} - {"", self._name})
        parts = [
            f"judge:{self._name}" + (f"@{version}" if version else ""),
            *([f"served:{'+'.join(names)}"] if names else []),
            f"prompt:{prompt_digest()}",
            "temp:0",
            f"seed:{settings.seed}" if settings.server.seed else "seed:none",
            f"order:{settings.order}",
            f"attempts:{settings.max_attempts}",
        ]
        return "|".join(parts)

    @property
    def _name(self) -> str:
        if self._settings.engine is EngineKind.OPENAI:
            return self._settings.server.model or self._settings.model
        settings = self._settings.for_engine()
        return str(signature(Weights(settings.model, settings.revision), settings))

    def _opened(self) -> Engine:
        settings = self._settings.for_engine()
        weights = Weights(settings.model, settings.revision)
        return open_engine(settings.engine, weights, settings)

    def _round(
        self, engine: Engine, sittings: Sequence[_Sitting], tick: Callable[[int], None]
    ) -> None:
        """One attempt at each; those without scores get another round."""
        for result in engine.stream(map(self._request, map(str, range(len(sittings))), sittings)):
            one = sittings[int(result.tag)]
            if result.error:
                # left to the next run: the server is at fault, not the reply
                self._failures[one.key] = (
                    f"{one.case.question_id} ({one.case.lang}): {result.error}"
                )
                continue
            row = {
                "question": one.case.question_id,
                "lang": one.case.lang,
                "reference_first": one.reference_first,
                "judge": result.answered_by or self._name,
                "reply": result.text,
            }
            self._store.add(one.key, row)
            if self._is_done(one):
                tick(1)

    def _request(self, tag: str, one: _Sitting) -> Request:
        """The prompt; after a reply without scores also what was wrong with it."""
        prompt, settings = one.prompt, self._settings
        rows = self._store.rows(one.key)
        if rows:
            prompt = f"{prompt}\n{_texts()['again'].format(fault=read_scores(rows[-1]['reply']))}"
        return Request(
            tag, (Message("user", prompt),), Sampling(settings.max_tokens, seed=settings.seed)
        )

    def _is_done(self, one: _Sitting) -> bool:
        """Whether it has scores, or was asked for them often enough."""
        rows = self._store.rows(one.key)
        if len(rows) >= self._settings.max_attempts:
            return True
        return bool(rows) and isinstance(read_scores(rows[-1]["reply"]), Scores)

    def _sittings(self, case: Case) -> Iterator[_Sitting]:
        orders = (True, False) if self._settings.order is Order.BOTH else (True,)
        for reference_first in orders:
            prompt = _prompt(case, reference_first)
            settings = self._settings
            decided_by = [
                VERSION,
                case.checkpoint,
                self._name,
                settings.server.version,
                settings.max_tokens,
                settings.seed if settings.server.seed else None,
                prompt_digest(),
                prompt,
            ]
            yield _Sitting(case, reference_first, prompt, digest(decided_by))


def _judged(found: Sequence[tuple[_Sitting, Sequence[Row]]]) -> Judged:
    scores = [(one, read_scores(rows[-1]["reply"])) for one, rows in found]
    faults = tuple(read for _, read in scores if isinstance(read, Fault))
    attempts = sum(len(rows) for _, rows in found)
    judges = tuple(sorted({row["judge"] for _, rows in found for row in rows}))
    said = found[0][1][-1]["reply"].encode("utf-8", "replace").decode("utf-8")
    if faults:
        return Judged(None, None, faults, attempts, None, judges, said)
    pairs = [
        (read.second, read.first) if one.reference_first else (read.first, read.second)
        for one, read in scores
        if isinstance(read, Scores)
    ]
    model, reference = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
    lead = None
    if len(pairs) == 2:  # the model came second, then first
        lead = ((pairs[1][0] - pairs[0][0]) + (pairs[0][1] - pairs[1][1])) / 2
    return Judged(model, reference, (), attempts, lead, judges, said)


def _prompt(case: Case, reference_first: bool) -> str:
    """The material as JSON, so that no text can end its own quotation."""
    answers = (case.reference, case.answer) if reference_first else (case.answer, case.reference)
    material = {
        "picture": case.context,
        "question": case.question,
        "answer_1": answers[0],
        "answer_2": answers[1],
    }
    quoted = json.dumps(material, ensure_ascii=False, indent=1)
    return _texts()["ask"].replace("{language}", info(case.lang).name).replace("{material}", quoted)


@functools.cache
def _texts() -> dict[str, str]:
    return dict(yaml.safe_load(_PROMPT_PATH.read_text(encoding="utf-8")))


@functools.cache
def prompt_digest() -> str:
    """8 hex digits over the words of the prompt, the notes on retries among them."""
    return digest(_texts())[:8]
