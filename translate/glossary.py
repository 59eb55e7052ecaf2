"""Terms with a fixed translation: `<lang>.csv` files with the columns english, translation.

    english,translation
    frisbee,فرزبی

A term is shown to the model where it occurs in the segment, so a changed line of the file
translates again only the segments that have its term.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import regex

from palo.errors import UserError

_COLUMNS = ("english", "translation")
_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Term:
    english: str
    translation: str


@dataclass(frozen=True)
class Glossary:
    """The terms of one language, by their case-folded English."""

    terms: dict[str, Term]

    def found_in(self, text: str) -> tuple[Term, ...]:
        """The terms that occur as whole words, a plural s or es aside, in the order of the text.

        Of overlapping terms the longest counts: "fire hydrant" hides "fire".
        """
        if not self.terms:
            return ()
        found = {match.group(1).casefold(): None for match in self._pattern.finditer(text)}
        return tuple(self.terms[english] for english in found)

    @cached_property
    def _pattern(self) -> "regex.Pattern[str]":
        longest_first = sorted(self.terms, key=lambda english: (-len(english), english))
        names = "|".join(map(regex.escape, longest_first))
        return regex.compile(rf"(?<!\w)({names})(?:e?s)?(?!\w)", regex.IGNORECASE)


NO_GLOSSARY = Glossary({})


def load_glossary(folder: Path | None, lang: str) -> Glossary:
    """The language's file, or no terms where there is none.

    Raises UserError for a missing folder, and for a file that is no UTF-8 CSV, lacks a column,
    leaves a cell empty, or gives a term twice.
    """
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
    rows = (tuple((row[names[name]] or "").strip() for name in _COLUMNS) for row in reader)
    return _glossary(path, rows)


def _glossary(path: Path, rows: Iterable[tuple[str, ...]]) -> Glossary:
    terms: dict[str, Term] = {}
    for number, (english, translation) in enumerate(rows, start=1):
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
