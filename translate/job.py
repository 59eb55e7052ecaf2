"""What decides the translation of a segment: language, prompt, terms, engine signature, sampling.

The instruction of a language is data (`prompts/<lang>.yaml`), what all share is in
`prompts/rules.yaml`; translating, pretraining and fine-tuning use the same words. What never
changes comes first, then context, terms, a note on what was wrong with the last answer, the text.

A glossary gives terms a fixed translation: `<lang>.csv` with the columns english, translation. A
term is shown to the model where it occurs in the segment, so a changed line of the file translates
again only the segments that have its term.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import regex

from palo.engines.limits import AnswerLimit, answer_limit
from palo.engines.stream import Message, Request, Sampling
from palo.errors import UserError
from palo.files import digest
from palo.memory import machine_key
from palo.schemas import Sample
from palo.settings import TranslatorSettings, read_mapping
from translate.segments import MAX_CONTEXT_CHARS, Segment, segment
from translate.validate import Problem

PROMPTS_DIR = Path(__file__).parent / "prompts"
_VALIDATION_RULES = "2"  # raise when other answers would pass, so that segments are asked again
_COLUMNS = ("english", "translation")
_DELIMITERS = ",;\t"

Cut = tuple[Segment, bytes]  # a turn's segment and its key, b"" where there is nothing to send


@dataclass(frozen=True)
class Term:
    english: str
    translation: str


@dataclass(frozen=True)
class Glossary:
    """The terms of one language, by their case-folded English."""

    terms: dict[str, Term]

    def found_in(self, text: str) -> tuple[Term, ...]:
        """The terms that occur as whole words, a plural s or es aside, in the order of the text. Of
        overlapping terms the longest counts: "fire hydrant" hides "fire"."""
        if not self.terms:
            return ()
        names = {match.group(1).casefold(): None for match in self._pattern.finditer(text)}
        return tuple(self.terms[english] for english in names)

    @cached_property
    def _pattern(self) -> "regex.Pattern[str]":
        longest_first = sorted(self.terms, key=lambda english: (-len(english), english))
        names = "|".join(map(regex.escape, longest_first))
        return regex.compile(rf"(?<!\w)({names})(?:e?s)?(?!\w)", regex.IGNORECASE)


NO_GLOSSARY = Glossary({})


def load_glossary(folder: Path | None, lang: str) -> Glossary:
    """The language's file, or no terms where there is none. Raises UserError for a missing folder,
    and for a file that is no UTF-8 CSV, lacks a column, leaves a cell empty, or gives a term
    twice."""
    if folder is None:
        return NO_GLOSSARY
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}: mend translator.glossary_dir, or remove it.")
    if not (path := folder / f"{lang}.csv").is_file():
        return NO_GLOSSARY
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"The glossary {path} is not UTF-8 text ({error}): save it so.") from None
    delimiter = max(_DELIMITERS, key=content.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter)
    names = {name.strip().casefold(): name for name in reader.fieldnames or ()}
    if missing := [name for name in _COLUMNS if name not in names]:
        raise UserError(
            f"The glossary {path} has no column '{missing[0]}'. Its first line names the columns: "
            "english,translation"
        )
    terms: dict[str, Term] = {}
    for number, row in enumerate(reader, start=1):
        english, translation = ((row[names[name]] or "").strip() for name in _COLUMNS)
        if not english and not translation:
            continue
        if not english or not translation:
            raise UserError(
                f"The glossary {path}, term {number}: '{english or translation}' stands"
                " alone. Give both english and translation, or remove the line."
            )
        if english.casefold() in terms:
            raise UserError(f"The glossary {path} gives '{english}' twice: keep one line.")
        terms[english.casefold()] = Term(english, translation)
    return Glossary(terms)


@dataclass(frozen=True)
class Prompt:
    """How one language is asked for; `version` changes when any word of it does."""

    instruction: str
    labels: dict[str, str]  # what introduces context, terms and text
    notes: dict[str, str]  # by what was wrong with the last answer

    @cached_property
    def version(self) -> str:
        notes = sorted(self.notes.items())
        return digest([self.instruction, *self.labels.values(), notes, MAX_CONTEXT_CHARS])[:12]

    @property
    def fixed_parts(self) -> tuple[str, ...]:
        """What stands in prompts word for word; a stand-in's tokenizer holds each as one token."""
        return self.instruction, *self.labels.values(), *self.notes.values()

    def render(self, text: str, context: str, terms: Sequence[Term] = (), wrong: str = "") -> str:
        """`wrong` names what was wrong with the last answer, "" at the first attempt."""
        parts = [self.instruction]
        if context:
            parts += [self.labels["context"], context]
        if terms:
            pairs = "; ".join(f"{term.english} = {term.translation}" for term in terms)
            parts += [self.labels["terms"], pairs]
        return "".join([*parts, self.notes.get(wrong, ""), self.labels["text"], text])


@cache
def load_prompt(lang: str) -> Prompt:
    """Raises UserError where the language has no prompt file."""

    def read(name: str) -> dict[str, Any]:
        path = PROMPTS_DIR / f"{name}.yaml"
        if not path.is_file():
            raise UserError(f"No prompt for language '{name}': write {path}.")
        return read_mapping(path)

    shared, own = read("rules"), read(lang)
    task = str(shared["task"]).format(language=own["language"])
    notes = {wrong: f"\n{note}" for wrong, note in shared["notes"].items()}
    return Prompt(f"{task} {own['rules']}", shared["labels"], notes)


@dataclass(frozen=True)
class TranslationJob:
    """One language with one engine; equal jobs give equal memory keys."""

    lang: str
    prompt: Prompt
    signature: str
    settings: TranslatorSettings
    glossary: Glossary = NO_GLOSSARY

    @classmethod
    def of(cls, lang: str, signature: str, settings: TranslatorSettings) -> "TranslationJob":
        """With the language's prompt and glossary; raises UserError where one is broken."""
        glossary = load_glossary(settings.glossary_dir, lang)
        return cls(lang, load_prompt(lang), signature, settings, glossary)

    @cached_property  # every key asks for it
    def version(self) -> str:
        """Of prompt and validation, for the memory key."""
        return f"{self.prompt.version}.{_VALIDATION_RULES}"

    @cached_property
    def limit(self) -> AnswerLimit:
        return answer_limit(self.lang, self.settings)

    def cuts(self, sample: Sample, said: Sequence[str | None] = ()) -> Iterator[Cut]:
        """Of every turn, in order. `said` are the translations so far: in a dialogue the caller
        appends to it turn by turn."""
        for index in range(len(sample.turns)):
            cut = segment(sample.turns, index, self.settings.context, said)
            yield cut, b"" if cut.copied else self.key(cut)

    def key(self, segment: Segment) -> bytes:
        before = segment.before
        more = [f"shown {before.shown}"] if before.shown else []
        terms = self.glossary.found_in(segment.text)
        more += [f"{term.english} = {term.translation}" for term in terms]
        return machine_key(
            self.signature, self.version, self.lang, segment.text, before.english, *more
        )

    def request(
        self, segment: Segment, key: bytes, attempt: int, wrong: Problem | None = None
    ) -> Request:
        """The first attempt (0) is greedy; each retry samples with a seed of its own, and says
        what was `wrong` with the answer before it."""
        text = self.prompt_text(segment, wrong)
        sampling = Sampling(self.limit.tokens(segment.text, text))
        if attempt:
            seed = int.from_bytes(key[:4], "big") // 2 + attempt  # below 2^31 for every engine
            sampling = replace(sampling, temperature=self.settings.retry_temperature, seed=seed)
        return Request(key.hex(), (Message("user", text),), sampling)

    def prompt_text(self, segment: Segment, wrong: Problem | None = None) -> str:
        before, terms = segment.before, self.glossary.found_in(segment.text)
        return self.prompt.render(segment.text, before.shown or before.english, terms, wrong or "")
