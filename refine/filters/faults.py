"""What stands in place of a translation: what failed, what the engine said instead, a copy, letters
damaged by a wrong encoding (Ã©, \\ufffd, ????, &#1575;), and invisible ones."""

import re
import unicodedata
from collections import Counter

import regex

from palo.checks import faults
from palo.languages import info
from palo.schemas import TurnStatus, Verdict
from refine.filters import Said, Thresholds, TurnPair, quoted, rule

# Languages in Latin letters share words with English ("Orange.", "Non."): one word proves
# nothing, and a few may be a name. Elsewhere nothing but names and numbers may stay.
_SHARED_WORDS = 1
_NAME_WORDS = 3

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
# Sources that share half of their words say nearly the same, and so may their translations.
_OTHER_SOURCE = 0.5
_NEAR_TARGET = 0.8  # of the 4-grams
_GRAM = 4

# What Windows-1252 and Latin-1 make of the bytes of UTF-8: two characters or more in a row.
_RUN = re.compile("[\u0080-\u00ff€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]{2,}")
# French writes é\u00a0», whose bytes happen to be those of a Han character.
_FRENCH_SPACED = regex.compile("\u00a0»|«\u00a0")
_PLAUSIBLE = regex.compile(
    r"[\p{Latin}\p{Cyrillic}\p{Arabic}\p{Devanagari}\p{Bengali}\p{Han}\p{Hiragana}\p{Katakana}"
    r"‘’“”…–—•。、！？।۔؟«»°]"
)
_QUESTION_MARKS = regex.compile(r"(?<![?？])\?{3,}|\w\?\w[\w?]*\?\w|(?:\?{2,} ){2,}")
_ENTITY = regex.compile(r"&(?:#\d{2,6}|#x[0-9a-fA-F]{2,5}|amp|quot|nbsp|lt|gt|apos);")
_REPLACEMENT = "\ufffd"
# Joiners (U+200C, U+200D) shape Persian, Urdu and Indic letters and emoji, and the plain marks
# of direction (U+200E, U+200F) are common in good Arabic: neither is suspicious.
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad"
    "\u200b\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)


@rule("every attempt of the translator failed validation")
def failed(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if pair.status is not TurnStatus.FAILED:
        return None
    return Said(Verdict.REJECT, f"translation failed: {pair.problem or 'no reason was given'}")


@rule("the translator ran out of tokens")
def truncated(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if pair.finish_reason != "length":
        return None
    return Said(Verdict.REJECT, "cut off at the translator's token limit")


@rule("the translator was unsure of its words")
def confidence(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    """A note only: how sure a model is differs from model to model and from text to text."""
    sure = pair.mean_logprob
    if sure is None or sure >= usual.low_logprob:
        return None
    return Said(Verdict.NOTE, f"mean log probability {sure:.2f}", sure)


@rule("introduces or explains the translation, adds lines, or leaks the prompt's delimiter")
def preamble(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if mark := faults.leaked_delimiter(pair.source, pair.target):
        return Said(Verdict.REJECT, f"leaked delimiter {quoted(mark)}")
    if phrase := faults.preamble(pair.source_words, pair.target_words, lang):
        return Said(Verdict.REJECT, f"begins with {quoted(phrase)}")
    if phrase := faults.explanation(pair.source_words, pair.target_words, lang):
        return Said(Verdict.REVIEW, f"explains itself: {quoted(phrase)}")
    if "\n" in pair.target_words and "\n" not in pair.source_words:
        return Said(Verdict.REVIEW, "several lines where the English is one")
    return None


@rule("refuses instead of translating")
def refusal(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    phrase = faults.refusal(pair.source_words, pair.target_words, lang)
    return Said(Verdict.REJECT, f"refuses: {quoted(phrase)}") if phrase else None


@rule("the question was answered instead of translated")
def answered(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if not pair.target_words or not faults.answered(pair.source, pair.target, lang):
        return None
    return Said(Verdict.REVIEW, "the English asks, the translation does not")


@rule("a phrase stands three times or more in a row")
def repetition(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    phrase = faults.repeated_phrase(pair.target_words)
    if phrase is None or faults.repeated_phrase(pair.source_words):
        return None
    return Said(Verdict.REVIEW, f"repeats {quoted(phrase)} again and again")


@rule("the translation is the English text")
def source_copy(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if pair.status is TurnStatus.COPIED:
        return None
    sides = (pair.source_words, pair.target_words)
    ours, theirs = (unicodedata.normalize("NFC", side).casefold() for side in sides)
    # nearly all texts differ in their first letter already
    if next(filter(str.isalpha, ours), "") != next(filter(str.isalpha, theirs), ""):
        return None
    words = _words(ours)
    if not words or words != _words(theirs):
        return None
    if "Latin" in info(lang).scripts and len(words) <= _SHARED_WORDS:
        verdict = Verdict.NOTE
    else:
        verdict = Verdict.REJECT if len(words) > _NAME_WORDS else Verdict.REVIEW
    return Said(verdict, "same text as the English", 1.0)


def _words(folded: str) -> list[str]:
    """Words that hold a letter; marks and numbers are the same everywhere."""
    return "".join(char if char.isalpha() else " " for char in folded).split()


@rule("the same translation stands for another English text")
def duplicate(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    """Equal targets ask for review, near ones are a note; prompts that repeat are legitimate."""
    near: Said | None = None
    for other in pair.others:
        kept_chars = max(len(other.source), len(other.target))
        ours = set(_WORD.findall(pair.source[:kept_chars].casefold()))
        theirs = set(_WORD.findall(other.source.casefold()))
        if _likeness(ours, theirs) >= _OTHER_SOURCE:
            continue
        alike = _likeness(_grams(pair.target[: len(other.target)]), _grams(other.target))
        if alike == 1:
            return Said(Verdict.REVIEW, f"also the translation of {quoted(other.source)}", alike)
        if alike >= _NEAR_TARGET and near is None:
            near = Said(Verdict.NOTE, f"nearly the translation of {quoted(other.source)}", alike)
    return near


def _grams(text: str) -> set[str]:
    bare = "".join(_WORD.findall(text.casefold()))
    return {bare[at : at + _GRAM] for at in range(max(1, len(bare) - _GRAM + 1))}


def _likeness(ours: set[str], theirs: set[str]) -> float:
    """Jaccard's index, 1 for two empty sets."""
    union = len(ours | theirs)
    return len(ours & theirs) / union if union else 1.0


@rule("damaged letters: mojibake, replacement characters, HTML entities")
def encoding(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if pair.target.count(_REPLACEMENT) > pair.source.count(_REPLACEMENT):
        return Said(Verdict.REJECT, "letters are lost (U+FFFD)")
    if damaged := mojibake(pair.target):
        if damaged in pair.source:
            return None
        return Said(Verdict.REJECT, f"UTF-8 read in another encoding: {quoted(damaged)}")
    if marks := lost_letters(pair.source, pair.target):
        return Said(Verdict.REVIEW, f"question marks in place of letters: {quoted(marks)}")
    written = _ENTITY.search(pair.target) if "&" in pair.target else None
    if written and written.group() not in pair.source:
        return Said(Verdict.REVIEW, f"HTML entity {quoted(written.group())}")
    return None


def mojibake(text: str) -> str | None:
    """The first stretch that is UTF-8 read as Windows-1252 or Latin-1, or None.

    A stretch counts only where its bytes decode to letters or marks of our languages: French
    `à\\u00a0«` decodes as well, but to nothing that anybody writes.
    """
    if text.isascii() or _RUN.search(text) is None:
        return None
    for run in _RUN.findall(_FRENCH_SPACED.sub(" ", text)):
        meant = _undone(run)
        if meant is not None and _PLAUSIBLE.search(meant):
            return str(run)
    return None


def _undone(text: str) -> str | None:
    """The run in its true encoding; cut bytes at either end are allowed."""
    # the five bytes that Windows-1252 leaves open are those of Latin-1
    data = b"".join(char.encode("cp1252", "ignore") or char.encode("latin-1") for char in text)
    for start in range(min(3, len(data) - 1)):
        for end in range(len(data), max(start + 1, len(data) - 3), -1):
            try:
                return data[start:end].decode("utf-8")
            except UnicodeDecodeError:
                continue
    return None


def lost_letters(source: str, target: str) -> str | None:
    """A stretch of question marks that stand for letters, or None."""
    if "??" not in target and _REPLACEMENT not in target and target.count("?") < 2:
        return None
    marks = _QUESTION_MARKS.search(target)
    return marks.group().strip() if marks and not _QUESTION_MARKS.search(source) else None


@rule("invisible characters, such as zero-width spaces and bidi overrides")
def invisible(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if pair.target.isascii() and pair.target.isprintable():
        return None
    hidden = Counter(_HIDDEN.findall(pair.target))
    if hidden:
        hidden -= Counter(_HIDDEN.findall(pair.source))
    if not hidden:
        return None
    # a control character has no name
    named = [f"U+{ord(char):04X} {unicodedata.name(char, '')}" for char in sorted(hidden)]
    said = f"invisible characters: {', '.join(map(str.rstrip, named))}"
    return Said(Verdict.REVIEW, said, float(hidden.total()))
