"""A bench folder as a LLaVA file to translate, and its translation as a set of another language.

    english = read_bench(root, "en")
    write_source(english, path)                 # what translate takes in like any other file
    built = assemble(english, "ur", refined)    # from what refine made of it

A question and its reference answer are one conversation, so that the answer is translated in sight
of its question; a caption follows a picture without a word, so it is a segment of its own.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from palo.bench import Answer, Bench, Caption, Question, QuestionId
from palo.errors import UserError
from palo.schemas import IMAGE_TAG, RefinedSample, Role, TurnStatus, Verdict
from palo.settings import Profile
from palo.settings.translate import SourceSettings
from palo.shards import replaced

SOURCE_NAME = "bench-source.json"


@dataclass(frozen=True)
class Talk:
    """One conversation of the source; its id says which part of the set it is."""

    source_id: str
    image: str
    question: str
    answer: str


@dataclass(frozen=True)
class Heard:
    """One turn as it came back; `text` is None, and `why` says why, where it can't be used."""

    text: str | None
    status: TurnStatus | None = None
    signature: str = ""
    doubted: bool = False  # refine asks a person to look at it
    why: str = ""


@dataclass(frozen=True)
class Missing:
    """A part that has no translation: `question 7, answers_gpt4: rejected by amna`."""

    part: str
    why: str

    def __str__(self) -> str:
        return f"{self.part}: {self.why}"


@dataclass
class Tally:
    """Turns of the set by where they came from; a question counts once."""

    by_status: Counter[str] = field(default_factory=Counter)
    signatures: Counter[str] = field(default_factory=Counter)  # of what an engine wrote
    doubted: int = 0

    def add(self, heard: Heard) -> None:
        assert heard.status is not None
        self.by_status[str(heard.status)] += 1
        if heard.status is TurnStatus.TRANSLATED:
            self.signatures[heard.signature] += 1
        self.doubted += heard.doubted


@dataclass(frozen=True)
class Built:
    """The set in one language: questions of which nothing is missing, and what is missing."""

    bench: Bench
    tally: Tally
    missing: tuple[Missing, ...]
    left_out: tuple[Question, ...]


def bench_root(profile: Profile, given: Path | None) -> Path:
    """The folder given, or the profile's own. Raises UserError where neither is there."""
    root = given or (profile.bench.path if profile.bench else None)
    if root is None:
        raise UserError(
            f"Profile '{profile.name}' names no bench: give --bench DIR, or set bench.path in "
            "pipelines.yaml."
        )
    if not root.is_dir():
        how = "run `palo sample build`" if profile.world and given is None else "check the path"
        raise UserError(f"No bench folder {root}: {how}.")
    return root.absolute()


def at_work_on(profile: Profile, root: Path) -> Profile:
    """The profile with a data folder of this bench's own, where its source is written."""
    there = profile.on(root)
    source = SourceSettings(
        path=there.data_dir / SOURCE_NAME,
        images_dir=root / "images",
        shard_rows=profile.source.shard_rows,
    )
    return there.model_copy(update={"source": source})


def write_source(english: Bench, path: Path) -> None:
    """The set as a LLaVA-Instruct file; the same set gives the same bytes."""
    items = [
        {
            "id": talk.source_id,
            "image": talk.image,
            "conversations": [
                {"from": Role.HUMAN.value, "value": talk.question},
                {"from": Role.GPT.value, "value": talk.answer},
            ],
        }
        for talk in talks(english)
    ]
    with replaced(path) as temporary:
        body = ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)
        temporary.write_text(f"[\n{body}\n]\n", encoding="utf-8", newline="\n")


def talks(english: Bench) -> list[Talk]:
    """Raises UserError for ids that can't be told apart."""
    found: dict[str, Talk] = {}
    for talk in _talks(english):
        if found.setdefault(talk.source_id, talk) != talk:
            raise UserError(
                f"{english.folder}: two parts are both called '{talk.source_id}': change an id."
            )
    return list(found.values())


def _talks(english: Bench) -> Iterator[Talk]:
    asked = {one.question_id: one for one in english.questions}
    for name, answers in english.answers.items():
        for answer in answers:
            one = asked[answer.question_id]
            yield Talk(_answer_id(one, name), one.image, one.text, answer.text)
    for caption in _once(english.captions):
        for number, text in enumerate(caption.texts):
            yield Talk(_caption_id(caption, number), caption.image, IMAGE_TAG, text)


def _once(captions: Iterable[Caption]) -> Iterable[Caption]:
    """Published files repeat the captions of a picture."""
    return {one.image: one for one in captions}.values()


def _answer_id(one: Question | Answer, name: str) -> str:
    return f"q{one.question_id}-{name}"


def _caption_id(caption: Caption, number: int) -> str:
    return f"caption-{caption.image}" + (f"-{number + 1}" if number else "")


def assemble(english: Bench, lang: str, refined: Iterable[RefinedSample]) -> Built:
    """The set in `lang`. A question is left out whole where a part of it, or the caption of its
    picture, failed validation or was rejected: English would pass for a translation."""
    return _Assembly(english, {one.sample.source_id: one for one in refined}).built(lang)


class _Assembly:
    """`samples` go by the id of their talk."""

    def __init__(self, english: Bench, samples: Mapping[str, RefinedSample]) -> None:
        self._english = english
        self._samples = samples
        self._tally = Tally()
        self._missing: list[Missing] = []

    def built(self, lang: str) -> Built:
        english = self._english
        told = {one.image: self._captioned(one) for one in _once(english.captions)}
        asked = {one.question_id: self._asked(one) for one in english.questions}
        answered = {
            name: {one.question_id: self._answered(name, one, asked) for one in given}
            for name, given in english.answers.items()
        }
        whole: dict[QuestionId, Question] = {}
        left_out = []
        for one in english.questions:
            done = asked[one.question_id]
            parts = [told[one.image], *(given[one.question_id] for given in answered.values())]
            if done is None or None in parts:
                left_out.append(one)
            else:
                whole[one.question_id] = done
        bench = replace(
            english,
            lang=lang,
            questions=tuple(whole.values()),
            captions=tuple(
                replace(one, texts=texts) for one in english.captions if (texts := told[one.image])
            ),
            answers={
                name: tuple(one for key, one in given.items() if one is not None and key in whole)
                for name, given in answered.items()
            },
        )
        return Built(bench, self._tally, tuple(self._missing), tuple(left_out))

    def _asked(self, question: Question) -> Question | None:
        """A question stands in as many conversations as it has answers: a person's word for it
        in any of them goes first."""
        heard = [
            _heard(self._samples.get(_answer_id(question, name)), 0)
            for name in self._english.answers
        ]
        usable = [one for one in heard if one.text is not None]
        best = min(usable or heard, key=lambda one: one.status is not TurnStatus.VERIFIED)
        text = self._taken(f"question {question.question_id}, its text", best)
        return None if text is None else replace(question, text=text)

    def _answered(
        self, name: str, answer: Answer, asked: Mapping[QuestionId, Question | None]
    ) -> Answer | None:
        place = f"question {answer.question_id}, {name}"
        text = self._taken(place, _heard(self._samples.get(_answer_id(answer, name)), 1))
        question = asked[answer.question_id]
        if text is None or question is None:
            return None
        return replace(answer, text=text, prompt=answer.prompt and question.text)

    def _captioned(self, caption: Caption) -> tuple[str, ...] | None:
        texts = []
        for number in range(len(caption.texts)):
            heard = _heard(self._samples.get(_caption_id(caption, number)), 1)
            text = self._taken(f"caption of {caption.image}", heard)
            if text is None:
                return None
            texts.append(text)
        return tuple(texts)

    def _taken(self, part: str, heard: Heard) -> str | None:
        if heard.text is None:
            self._missing.append(Missing(part, heard.why))
        else:
            self._tally.add(heard)
        return heard.text


def _heard(refined: RefinedSample | None, turn: int) -> Heard:
    if refined is None:
        return Heard(None, why="not translated; set-aside.jsonl says why")
    sample = refined.sample
    if len(sample.target) != len(sample.source):
        return Heard(None, why="the conversation lost its turns")
    meta, verdict = sample.meta[turn], refined.turn_verdicts[turn]
    if meta.status is TurnStatus.FAILED:
        return Heard(None, why=f"failed: {meta.problem}")
    if verdict is Verdict.REJECT:
        said = [one.reason for one in refined.findings[turn] if one.verdict is Verdict.REJECT]
        return Heard(None, why=said[0] if said else "rejected")
    text = sample.target[turn].text
    return Heard(text, meta.status, meta.signature, verdict is Verdict.REVIEW)
