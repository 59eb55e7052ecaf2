"""What the interface says in each of the ten languages (phrases.yaml, a row a language)."""

from functools import cache
from pathlib import Path

import yaml

from palo.errors import unknown
from palo.languages import LANGUAGES, Language
from palo.settings import Section

_PATH = Path(__file__).with_name("phrases.yaml")


class Phrases(Section):
    """One language's."""

    ask: str
    send: str
    stop: str
    new: str
    picture: str
    examples: str


@cache
def all_phrases() -> dict[Language, Phrases]:
    """In the languages' own order."""
    rows = yaml.safe_load(_PATH.read_text(encoding="utf-8"))
    return {code: Phrases(**rows[code]) for code in LANGUAGES}


def parse_language(code: str) -> Language:
    """One of the ten, English included. Raises UserError."""
    code = code.strip().lower()
    if code not in LANGUAGES:
        raise unknown("language", code, LANGUAGES)
    return Language(code)
