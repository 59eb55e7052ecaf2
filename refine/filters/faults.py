"""What stands in place of a translation: what failed, what the engine said instead, a copy."""

import unicodedata

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


@rule("every attempt of the translator failed validation")
def failed(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if pair.status is not TurnStatus.FAILED:
        return None
    why = pair.problem or "no reason was given"
    return Said(Verdict.REJECT, f"translation failed: {why}")


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
    ours, theirs = _folded(pair.source_words), _folded(pair.target_words)
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


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


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
            said = f"also the translation of {quoted(other.source)}"
            return Said(Verdict.REVIEW, said, alike)
        if alike >= _NEAR_TARGET and near is None:
            said = f"nearly the translation of {quoted(other.source)}"
            near = Said(Verdict.NOTE, said, alike)
    return near


def _grams(text: str) -> set[str]:
    bare = "".join(_WORD.findall(text.casefold()))
    return {bare[at : at + _GRAM] for at in range(max(1, len(bare) - _GRAM + 1))}


def _likeness(ours: set[str], theirs: set[str]) -> float:
    """Jaccard's index, 1 for two empty sets."""
    union = len(ours | theirs)
    return len(ours & theirs) / union if union else 1.0
