"""The languages as data: names, scripts, direction, final marks.

A new language is one row here and one prompt file: docs/extending.md.
"""

from dataclasses import dataclass
from enum import StrEnum

from palo.errors import UserError, nearest, unknown


@dataclass(frozen=True)
class LanguageInfo:
    """`scripts` are Unicode script names as `regex` knows them; `final_marks` end a sentence.

    `labels` are what models of language ID call it beside its code: lid.176's (pnb, wuu, ...),
    GlotLID's and OpenLID's (urd, ...), dialects too, for models that split them must not be asked
    for one alone.
    """

    code: str
    name: str
    native_name: str
    scripts: tuple[str, ...]
    final_marks: str
    labels: str = ""
    right_to_left: bool = False
    spaced: bool = True


_CHINESE = "zho cmn wuu yue hsn nan hak gan lzh"
_ARABIC = "ara arb arz ary apc ajp acm acq aeb ars afb ayl apd acx"
_ROWS = (
    LanguageInfo("en", "English", "English", ("Latin",), ".!?", "eng"),
    LanguageInfo("zh", "Chinese", "简体中文", ("Han",), "。！？", _CHINESE, spaced=False),
    LanguageInfo("fr", "French", "français", ("Latin",), ".!?", "fra"),
    LanguageInfo("es", "Spanish", "español", ("Latin",), ".!?", "spa"),
    LanguageInfo("ru", "Russian", "русский", ("Cyrillic",), ".!?", "rus"),
    LanguageInfo(
        "ja", "Japanese", "日本語", ("Hiragana", "Katakana", "Han"), "。！？", "jpn", spaced=False
    ),
    LanguageInfo("ar", "Arabic", "العربية", ("Arabic",), ".!؟", _ARABIC, right_to_left=True),
    LanguageInfo("hi", "Hindi", "हिन्दी", ("Devanagari",), "।!?.", "hin bho mai awa mag hne"),
    LanguageInfo("bn", "Bengali", "বাংলা", ("Bengali",), "।!?", "ben"),
    LanguageInfo("ur", "Urdu", "اردو", ("Arabic",), "۔!؟", "urd pnb", right_to_left=True),
)


class Language(StrEnum):
    """A code a row: `Language("ur")`, `Language.UR`."""

    _ignore_ = ["row"]
    for row in _ROWS:
        vars()[row.code.upper()] = row.code


LANGUAGES: dict[Language, LanguageInfo] = {Language(row.code): row for row in _ROWS}
ENGLISH = Language("en")
TARGETS: tuple[Language, ...] = tuple(code for code in LANGUAGES if code is not ENGLISH)


def info(code: str) -> LanguageInfo:
    return LANGUAGES[Language(code)]


def parse_languages(text: str) -> tuple[Language, ...]:
    """`ur`, `ur,fr` or `all` -> targets in table order. UserError: empty, unknown, or English."""
    names = [part.strip().lower() for part in text.replace(" ", ",").split(",") if part.strip()]
    if not names:
        raise UserError(f"No language given. Use one of {' '.join(sorted(TARGETS))}, or all.")
    if "all" in names:
        return TARGETS
    if ENGLISH in names:
        raise UserError("'en' is the source language. Targets: " + " ".join(sorted(TARGETS)))
    by_name = {LANGUAGES[code].name.lower(): code for code in TARGETS}
    for name in names:
        if name in TARGETS:
            continue
        # English names and longer codes: 'urdu' and 'urd' both mean 'ur'
        if (close := nearest(name, by_name)) and close[0] == name[0]:
            codes = " ".join(sorted(TARGETS))
            raise UserError(
                f"Unknown language '{name}'. Did you mean '{by_name[close]}'? Languages: {codes}"
            )
        raise unknown("language", name, TARGETS)
    return tuple(code for code in TARGETS if code in names)


def parse_language(code: str) -> Language:
    """Any of them, English included. Raises UserError."""
    code = code.strip().lower()
    if code not in LANGUAGES:
        raise unknown("language", code, LANGUAGES)
    return Language(code)
