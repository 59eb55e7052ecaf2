"""The phrases of phrases.yaml, read once; what preamble, question and refusal look for."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from palo.languages import LANGUAGES

_OPENING = " \t\r\n\"'“”„«»‘’「『《*_#>"


@dataclass(frozen=True)
class Phrases:
    """Phrases by language code, case-folded but for those that ask; `delimiters` belong to none."""

    preamble: dict[str, tuple[str, ...]]
    explanation: dict[str, tuple[str, ...]]
    refusal: dict[str, tuple[str, ...]]
    asks_first: dict[str, tuple[str, ...]]
    asks_last: dict[str, tuple[str, ...]]
    only_english: frozenset[str]
    delimiters: tuple[str, ...]


@cache
def phrases() -> Phrases:
    raw = yaml.safe_load(resources.files(__package__).joinpath("phrases.yaml").read_text("utf-8"))

    def by_language(kind: str) -> dict[str, tuple[str, ...]]:
        return {lang: tuple(map(comparable, found)) for lang, found in raw[kind].items()}

    preamble = by_language("preamble")
    named = tuple(f"in {row.name.casefold()}:" for row in LANGUAGES.values())
    return Phrases(
        preamble={**preamble, "en": preamble["en"] + named},
        explanation=by_language("explanation"),
        refusal=by_language("refusal"),
        asks_first={lang: tuple(found) for lang, found in raw["asks_first"].items()},
        asks_last={lang: tuple(found) for lang, found in raw["asks_last"].items()},
        only_english=frozenset(raw["only_english"]),
        delimiters=tuple(map(str.casefold, raw["delimiters"])),
    )


def comparable(text: str) -> str:
    """Case-folded, with straight apostrophes, without opening quotes and marks."""
    return text.lstrip(_OPENING).casefold().replace("’", "'")


@cache
def for_language(kind: str, lang: str) -> tuple[str, ...]:
    """English ones too: a model explains itself in English whatever it translates into.

    A language that phrases.yaml does not know has the English ones alone.
    """
    table: dict[str, tuple[str, ...]] = getattr(phrases(), kind)
    return table["en"] if lang == "en" else table["en"] + table.get(lang, ())
