"""Checks an answer of the engine right after generation; what fails is tried again.

Only what a retry may mend is looked for here. What is merely suspicious is refine's to judge.
"""

from enum import StrEnum
from functools import cache

from palo.checks import faults
from palo.checks.language import UNKNOWN, LanguageId
from palo.checks.script import script_counts, script_share
from palo.checks.structure import span_difference
from palo.engines.stream import Result
from palo.languages import info
from translate.segments import PLACEHOLDER, Segment

_MIN_SCRIPT_SHARE = 0.1  # below: hardly a letter of the language's own script
_MIN_ECHO_LETTERS = 12  # "Non." or "Pizza!" may well be the same in both languages
# On 9,000 gold sentences the detector names another language three times, each time rightly.
_MIN_LANGUAGE_LETTERS = 20
_MIN_LANGUAGE_SHARE = 0.6
# Target characters a source character; 99% of gold pairs lie within .19-.78 (zh), .28-.67 (ja),
# and .6-1.8 elsewhere. Absurd is what is some three times beyond.
_LONG = 6.0
_LONG_EXTRA_CHARS = 80
_SHORT = {"zh": 0.06, "ja": 0.09}
_SHORT_ELSEWHERE = 0.2
_MIN_SHORT_CHARS = 60  # of the source: little can stand for less

_language_id = cache(LanguageId)


class Problem(StrEnum):
    """Why an answer failed, from the worst to the least bad: the best attempt is kept."""

    ENGINE = "engine error"
    EMPTY = "empty"
    ECHO = "source echoed"
    REFUSAL = "refusal"
    SCRIPT = "wrong script"
    LANGUAGE = "wrong language"
    LOOP = "repetition loop"
    TRUNCATED = "truncated"
    LENGTH = "absurd length"
    ANSWERED = "answered instead"
    LEAKED = "leaked delimiter"
    PREAMBLE = "preamble"
    EXPLANATION = "explanation"
    PLACEHOLDER = "placeholder lost or doubled"

    @property
    def rank(self) -> int:
        return list(Problem).index(self)


def find_problem(segment: Segment, result: Result, lang: str) -> Problem | None:
    """The worst thing wrong with the answer, or None. Linear in the length of the texts."""
    if result.error:
        return Problem.ENGINE
    source, text = segment.text, result.text.strip()
    if not text:
        return Problem.EMPTY
    letters = sum(map(str.isalpha, source))
    if letters >= _MIN_ECHO_LETTERS and source.casefold() == text.casefold():
        return Problem.ECHO
    if faults.refusal(source, text, lang):
        return Problem.REFUSAL
    if wrong_script(source, text, lang):
        return Problem.SCRIPT
    around = None
    if faults.leaked_delimiter(source, text):
        around = Problem.LEAKED
    elif faults.preamble(source, text, lang):
        around = Problem.PREAMBLE
    elif faults.explanation(source, text, lang):
        around = Problem.EXPLANATION
    if not around and _wrong_language(text, lang):  # English around a translation is no language
        return Problem.LANGUAGE
    if faults.repeated_phrase(text) and not faults.repeated_phrase(source):
        return Problem.LOOP
    if result.finish_reason != "stop":
        return Problem.TRUNCATED
    least = _SHORT.get(lang, _SHORT_ELSEWHERE) * len(source)
    if len(text) > _LONG * len(source) + _LONG_EXTRA_CHARS or (
        len(source) >= _MIN_SHORT_CHARS and len(text) < least
    ):
        return Problem.LENGTH
    if faults.answered(source, text, lang):
        return Problem.ANSWERED
    if around:
        return around
    # each placeholder once, and put back nothing made up beside it, nor grown into a URL
    kept = all(text.count(mark) == 1 for mark in segment.placeholders)
    same = kept and not span_difference(segment.restore(source), segment.restore(text))
    return None if same else Problem.PLACEHOLDER


def wrong_script(source: str, text: str, lang: str) -> bool:
    """Placeholders are no language, and a short answer may be all names: "Wi-Fi", "NASA"."""
    text = PLACEHOLDER.sub(" ", text)
    counts = script_counts(text)
    if not counts.total():
        return False
    if "Latin" in info(lang).scripts:  # which says nothing about English left in
        return not counts["Latin"]
    if counts.total() < _MIN_ECHO_LETTERS and set(text.split()) <= set(source.split()):
        return False
    share = script_share(counts, lang)
    return share is not None and share < _MIN_SCRIPT_SHARE


def _wrong_language(text: str, lang: str) -> bool:
    """English left in French, Persian for Urdu: what the script does not tell."""
    guess = _language_id().detect(PLACEHOLDER.sub(" ", text), lang)
    if guess.lang in ("", UNKNOWN, lang) or guess.letters < _MIN_LANGUAGE_LETTERS:
        return False
    return guess.share >= _MIN_LANGUAGE_SHARE
