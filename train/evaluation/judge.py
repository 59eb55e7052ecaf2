"""A model behind any OpenAI-compatible server scores each answer beside the reference answer.

Every reply is stored as it came, under a digest of the model that answered, the judge, its prompt
and everything that it was shown. Scores are read from what is stored.
"""

import functools
import json
import os
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import regex

from palo.console import Tick, progress
from palo.engines.open import open_engine, signature
from palo.engines.stream import Engine, Message, Request, Sampling, Weights
from palo.errors import UserError
from palo.files import digest, read_yaml
from palo.languages import info
from palo.settings import AnswerJudgeSettings, EngineKind, Order

VERSION = "1"  # raise it when the same replies give other scores, or the material another form
LOWEST, HIGHEST = 1.0, 10.0
_NUMBER = r"\d+(?:\.\d+)?"
_TWO = regex.compile(rf"({_NUMBER})(?:\s+|\s*,\s*)({_NUMBER})")
_SOME = regex.compile(rf"[+-]?{_NUMBER}(?:[\s,]+[+-]?{_NUMBER})*")

Row = dict[str, Any]


class Fault(StrEnum):
    """Why a reply gives no scores; the words are put to the judge, too."""

    EMPTY = "it is empty"
    PROSE = "its first line is not two numbers alone"
    COUNT = "its first line holds not two numbers but more or fewer"
    RANGE = "a score is not from 1 to 10"
    STEP = "a score is neither a whole nor a half point"


def read_scores(reply: str) -> tuple[float, float] | Fault:
    """The two numbers that the first line with anything on it consists of, in the order in which
    the answers were shown; nothing is guessed.

    The published script takes -1 for a reply that it cannot read, and averages it with the others.
    Digits of any script count (full-width ones, Arabic ones): a judge may write as it reads.
    """
    lines = [line.strip() for line in unicodedata.normalize("NFKC", reply).split("\n")]
    line = next((line for line in lines if line), "").rstrip(".")
    if not line:
        return Fault.EMPTY
    if (match := _TWO.fullmatch(line)) is None:
        return Fault.COUNT if _SOME.fullmatch(line) else Fault.PROSE
    first, second = map(float, match.groups())
    if not all(LOWEST <= score <= HIGHEST for score in (first, second)):
        return Fault.RANGE
    if first * 2 % 1 or second * 2 % 1:
        return Fault.STEP
    return first, second


@dataclass(frozen=True)
class Item:
    """One question in one language; `accepted` are all right answers, where they are known."""

    lang: str
    question_id: str
    category: str
    question: str
    image: Path
    image_digest: str
    context: str
    reference: str
    accepted: tuple[str, ...] = ()
    reasoning: bool = False  # takes more than seeing one thing: measured apart, if held out


@dataclass(frozen=True)
class Outcome:
    """An answer and its scores, 1 to 10, or 0 or 1 beside 1; None where there are none. The rest is
    of a judge's replies; `faults` is why they could not be read, where they could not."""

    item: Item
    text: str
    in_language: bool
    model: float | None = None
    reference: float | None = None
    attempts: int = 0  # 0: not judged
    faults: tuple[Fault, ...] = ()
    judges: tuple[str, ...] = ()  # what the server says it asked
    said: str = ""
    first_lead: float | None = None  # worth of the first place, where both orders were judged


@dataclass(frozen=True)
class _Sitting:
    """A case in one order, and where its replies are stored."""

    case: Outcome
    reference_first: bool
    prompt: str
    key: str


class Store(AbstractContextManager["Store"]):
    """What was answered and judged, a line of JSON each, by a digest of what decided it, in order.

    A row is on the disk before the next is asked for: a run that is killed loses none and asks
    none again. Nothing is found by its place or by a file's name. One process writes at a time.
    """

    def __init__(self, path: Path) -> None:
        self._rows: dict[str, list[Row]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            file.seek(0)
            content = file.read()
            # a process killed while it wrote, or a full disk, leaves the beginning of a line
            file.truncate(content.rfind(b"\n") + 1)
        for number, line in enumerate(content.split(b"\n")[:-1], start=1):
            try:
                row = dict(json.loads(line))
                self._rows.setdefault(row.pop("key"), []).append(row)
            except (ValueError, KeyError, TypeError):
                raise UserError(
                    f"{path}, line {number} is damaged: remove that line and run the "
                    "same command again, which asks for it once more."
                ) from None
        self._file = path.open("a", encoding="ascii")

    def rows(self, key: str) -> list[Row]:
        """All that is stored under the key, the oldest first."""
        return self._rows.get(key, [])

    def add(self, key: str, row: Row) -> None:
        # ASCII: a server's reply may hold half a character, which no other form can
        self._file.write(json.dumps({"key": key, **row}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._rows.setdefault(key, []).append(row)

    def __exit__(self, *unused: object) -> None:
        self._file.close()


class Judge:
    """Of one model's answers, opened at the first that is not judged yet. `checkpoint` is a digest
    of that model. `failures`: what got no reply in this run, by key."""

    def __init__(self, settings: AnswerJudgeSettings, store: Store, checkpoint: str) -> None:
        self._settings, self._store, self._checkpoint = settings, store, checkpoint
        self._orders = (True, False) if settings.order is Order.BOTH else (True,)
        self._engine_settings = settings.for_engine()
        self._weights = Weights(settings.model, settings.revision)
        if settings.engine is EngineKind.OPENAI:
            self._name = settings.server.model or settings.model
        else:
            self._name = str(signature(self._weights, self._engine_settings))
        self.failures: dict[str, str] = {}

    def judge(self, cases: Sequence[Outcome]) -> list[Outcome]:
        """Asks for whatever is not judged yet, and stores each reply as it comes; the cases with
        what their replies say, once all are there. Raises UserError where the server is out."""
        by_case = [list(self._sittings(case)) for case in cases]
        sittings = [sitting for some in by_case for sitting in some]
        with progress("judgements", len(sittings)) as tick:
            tick(sum(map(self._is_done, sittings)))
            for _ in range(self._settings.max_attempts):
                left = [sitting for sitting in sittings if not self._is_done(sitting)]
                left = [sitting for sitting in left if sitting.key not in self.failures]
                if not left:
                    break
                kind = self._engine_settings.engine
                with open_engine(kind, self._weights, self._engine_settings) as engine:
                    self._round(engine, left, tick)
        return [
            self._judged(case, some) if all(map(self._is_done, some)) else case
            for case, some in zip(cases, by_case, strict=True)
        ]

    def _judged(self, case: Outcome, sittings: Sequence[_Sitting]) -> Outcome:
        """The case with what the stored replies say of it, in each order."""
        rows = [self._store.rows(sitting.key) for sitting in sittings]
        case = replace(
            case,
            attempts=sum(map(len, rows)),
            judges=tuple(sorted({row["judge"] for some in rows for row in some})),
            said=rows[0][-1]["reply"].encode("utf-8", "replace").decode("utf-8"),
        )
        faults, pairs = list[Fault](), list[tuple[float, float]]()  # model, reference
        for sitting, some in zip(sittings, rows, strict=True):
            scores = read_scores(some[-1]["reply"])
            if isinstance(scores, Fault):
                faults.append(scores)
            else:
                first, second = scores
                pairs.append((second, first) if sitting.reference_first else (first, second))
        if faults:
            return replace(case, faults=tuple(faults))
        model, reference = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
        lead = None
        if len(pairs) == 2:  # the model came second, then first
            lead = ((pairs[1][0] - pairs[0][0]) + (pairs[0][1] - pairs[1][1])) / 2
        return replace(case, model=model, reference=reference, first_lead=lead)

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

    def _round(self, engine: Engine, sittings: Sequence[_Sitting], tick: Tick) -> None:
        """One attempt at each; those without scores get another round."""
        for result in engine.stream(map(self._request, map(str, range(len(sittings))), sittings)):
            sitting = sittings[int(result.tag)]
            item = sitting.case.item
            if result.error:
                # left to the next run: the server is at fault, not the reply
                self.failures[sitting.key] = f"{item.question_id} ({item.lang}): {result.error}"
                continue
            row = {
                "question": item.question_id,
                "lang": item.lang,
                "reference_first": sitting.reference_first,
                "judge": result.answered_by or self._name,
                "reply": result.text,
            }
            self._store.add(sitting.key, row)
            if self._is_done(sitting):
                tick(1)

    def _request(self, tag: str, sitting: _Sitting) -> Request:
        """The prompt; after a reply without scores also what was wrong with it."""
        prompt, settings = sitting.prompt, self._settings
        if rows := self._store.rows(sitting.key):
            prompt = f"{prompt}\n{_texts()['again'].format(fault=read_scores(rows[-1]['reply']))}"
        sampling = Sampling(settings.max_tokens, seed=settings.seed)
        return Request(tag, (Message("user", prompt),), sampling)

    def _is_done(self, sitting: _Sitting) -> bool:
        """Whether it has scores, or was asked for them often enough."""
        rows = self._store.rows(sitting.key)
        is_read = bool(rows) and not isinstance(read_scores(rows[-1]["reply"]), Fault)
        return is_read or len(rows) >= self._settings.max_attempts

    def _sittings(self, case: Outcome) -> Iterator[_Sitting]:
        settings, item, answers = self._settings, case.item, (case.item.reference, case.text)
        for reference_first in self._orders:
            material = {  # as JSON, so that no text can end its own quotation
                "picture": item.context,
                "question": item.question,
                "answer_1": answers[not reference_first],
                "answer_2": answers[reference_first],
            }
            quoted = json.dumps(material, ensure_ascii=False, indent=1)
            prompt = _texts()["ask"].replace("{language}", info(item.lang).name)
            prompt = prompt.replace("{material}", quoted)
            decided_by = [
                VERSION,
                self._checkpoint,
                self._name,
                settings.server.version,
                settings.max_tokens,
                settings.seed if settings.server.seed else None,
                prompt_digest(),
                prompt,
            ]
            yield _Sitting(case, reference_first, prompt, digest(decided_by))


@functools.cache
def _texts() -> dict[str, str]:
    return dict(read_yaml(__file__, "judge_prompt.yaml"))


@functools.cache
def prompt_digest() -> str:
    """8 hex digits over the words of the prompt, the notes on retries among them."""
    return digest(_texts())[:8]
