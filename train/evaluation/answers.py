"""When an answer is right, how often a guess would be, and whether it is in the right language."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palo.errors import UserError
from palo.languages import LANGUAGES, info

Judge = Callable[[str, str], bool]  # (text, language) -> whether the text is in that language


@dataclass(frozen=True)
class Question:
    """One held-out question; `answers` has the accepted forms a language, the shortest first."""

    question_id: str
    image: Path
    kind: str
    questions: Mapping[str, str]
    answers: Mapping[str, tuple[str, ...]]
    reasoning: bool = False  # takes more than seeing one thing; measured apart


@dataclass(frozen=True)
class Answered:
    """What the model said to one question in one language."""

    question: Question
    lang: str
    text: str

    @property
    def correct(self) -> bool:
        return is_right(self.text, self.question.answers[self.lang], self.lang)


def normalise(text: str, lang: str) -> str:
    """NFC, no blanks around, inner blanks single, no final mark."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return plain.rstrip(info(lang).final_marks + ".").rstrip()


def is_right(text: str, accepted: Iterable[str], lang: str) -> bool:
    """Whether the text is exactly one of the accepted forms, once both are normalised."""
    return normalise(text, lang) in {normalise(form, lang) for form in accepted}


def accuracy(answered: Sequence[Answered]) -> float:
    return sum(one.correct for one in answered) / len(answered)


def chance(questions: Sequence[Question], lang: str) -> float:
    """What always giving the commonest answer of a kind would get right: measured, not assumed."""
    by_kind: dict[str, Counter[str]] = {}
    for one in questions:
        shortest = normalise(one.answers[lang][0], lang)
        by_kind.setdefault(one.kind, Counter())[shortest] += 1
    return sum(max(counts.values()) for counts in by_kind.values()) / len(questions)


def make_judge(questions: Sequence[Question], detect: Judge) -> Judge:
    """Judges the language of answers, most of which are too short for language ID.

    An answer that is a known answer form of the language counts as being in it ("No." is both
    English and Spanish). Any other must be recognised by `detect` (script, then fastText).
    """
    forms: dict[str, list[str]] = {
        lang: [form for one in questions for form in one.answers[lang]]
        for lang in questions[0].answers
    }
    return language_judge(forms, detect)


def language_judge(forms: Mapping[str, Iterable[str]], detect: Judge) -> Judge:
    """As `make_judge`; `forms` are texts that are known to be in a language, by language."""
    known = {lang: {normalise(form, lang) for form in some} for lang, some in forms.items()}

    def judge(text: str, lang: str) -> bool:
        return normalise(text, lang) in known[lang] or detect(text, lang)

    return judge


def fidelity(answered: Sequence[Answered], judge: Judge) -> float:
    """Share of answers in the language of their question; silence is in no language."""
    if not answered:
        return 0.0
    return sum(bool(one.text.strip()) and judge(one.text, one.lang) for one in answered) / len(
        answered
    )


def parse_questions(rows: Iterable[Mapping], images_dir: Path) -> list[Question]:  # type: ignore[type-arg]
    """Rows of the questions file, each in all languages of the table that the file has.

    Raises UserError for one that lacks a field or a language.
    """
    rows = list(rows)
    langs = _languages_asked(rows)
    questions = []
    for number, row in enumerate(rows, start=1):
        try:
            answers = {lang: tuple(row["answers"][lang]) for lang in langs}
            asked = {lang: row["questions"][lang] for lang in langs}
            image = images_dir / row["image"]
            reasoning = bool(row.get("reasoning"))
            questions.append(Question(row["id"], image, row["kind"], asked, answers, reasoning))
        except (KeyError, TypeError) as error:
            raise UserError(f"Question {number} of the questions file lacks {error}.") from None
    if not questions:
        raise UserError("The questions file is empty.")
    if all(one.reasoning for one in questions):
        raise UserError(
            "Every question of the questions file takes `reasoning`: accuracy and chance are over "
            "those that don't. Set it only where more than seeing one thing is asked."
        )
    return questions


def _languages_asked(rows: Sequence[Mapping]) -> list[str]:  # type: ignore[type-arg]
    """A language added to the table later need not be in a questions file."""
    found = {lang for row in rows for lang in row.get("questions", ())}
    return [lang for lang in LANGUAGES if lang in found]
