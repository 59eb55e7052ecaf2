"""The ten languages as data: names, scripts, direction, final marks.

A new language is one row here, one prompt file and one calibration row.
"""

from dataclasses import dataclass
from enum import StrEnum

from palo.errors import UserError, nearest, unknown


class Language(StrEnum):
    EN = "en"
    ZH = "zh"
    FR = "fr"
    ES = "es"
    RU = "ru"
    JA = "ja"
    AR = "ar"
    HI = "hi"
    BN = "bn"
    UR = "ur"


@dataclass(frozen=True)
class LanguageInfo:
    """`scripts` are Unicode script names as `regex` knows them; `final_marks` end a sentence."""

    code: Language
    name: str
    native_name: str
    scripts: tuple[str, ...]
    final_marks: str
    right_to_left: bool = False
    spaced: bool = True


_ROWS = (
    LanguageInfo(Language.EN, "English", "English", ("Latin",), ".!?"),
    LanguageInfo(Language.ZH, "Chinese", "简体中文", ("Han",), "。！？", spaced=False),
    LanguageInfo(Language.FR, "French", "français", ("Latin",), ".!?"),
    LanguageInfo(Language.ES, "Spanish", "español", ("Latin",), ".!?"),
    LanguageInfo(Language.RU, "Russian", "русский", ("Cyrillic",), ".!?"),
    LanguageInfo(
        Language.JA, "Japanese", "日本語", ("Hiragana", "Katakana", "Han"), "。！？", spaced=False
    ),
    LanguageInfo(Language.AR, "Arabic", "العربية", ("Arabic",), ".!؟", right_to_left=True),
    LanguageInfo(Language.HI, "Hindi", "हिन्दी", ("Devanagari",), "।!?."),
    LanguageInfo(Language.BN, "Bengali", "বাংলা", ("Bengali",), "।!?"),
    LanguageInfo(Language.UR, "Urdu", "اردو", ("Arabic",), "۔!؟", right_to_left=True),
)
LANGUAGES: dict[Language, LanguageInfo] = {row.code: row for row in _ROWS}
ENGLISH = Language.EN
TARGETS: tuple[Language, ...] = tuple(code for code in LANGUAGES if code is not ENGLISH)


def info(code: str) -> LanguageInfo:
    return LANGUAGES[Language(code)]


def parse_languages(text: str) -> tuple[Language, ...]:
    """`ur`, `ur,fr` or `all` -> target languages in table order, each once.

    Raises UserError for an empty, unknown or source (English) language.
    """
    names = [part.strip().lower() for part in text.replace(" ", ",").split(",") if part.strip()]
    if not names:
        raise UserError(f"No language given. Use one of {' '.join(sorted(TARGETS))}, or all.")
    if "all" in names:
        return TARGETS
    if ENGLISH in names:
        raise UserError("'en' is the source language. Targets: " + " ".join(sorted(TARGETS)))
    for name in names:
        if name not in TARGETS:
            raise unknown_language(name)
    return tuple(code for code in TARGETS if code in names)


def unknown_language(name: str) -> UserError:
    """Also knows English names and longer codes: 'urdu' and 'urd' both mean 'ur'."""
    by_name = {LANGUAGES[code].name.lower(): code for code in TARGETS}
    if name not in TARGETS and (close := nearest(name, by_name)) and close[0] == name[0]:
        codes = " ".join(sorted(TARGETS))
        return UserError(
            f"Unknown language '{name}'. Did you mean '{by_name[close]}'? Languages: {codes}"
        )
    return unknown("language", name, TARGETS)
