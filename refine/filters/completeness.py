"""The whole English must be there: its turns, `<image>`, spans, length, end, numbers and words."""

from collections import Counter

import regex

from palo.checks.lexicon import agreement
from palo.checks.lexicon import languages as lexicon_languages
from palo.checks.structure import image_tags_moved, span_difference
from palo.languages import LANGUAGES, info
from palo.schemas import IMAGE_TAG, TranslatedSample, Verdict
from refine.filters import Said, Thresholds, TurnPair, quoted, rule

# The bands are those of whole sentences. Short texts vary more, so the band is widened by
# 9/n + 100/n² for n characters of English: at most 2% of Tatoeba's gold pairs (20-40 characters)
# fall outside in every language, of one to three words as well.
_ROOM_CHARS = 9
_ROOM_CHARS_SQUARED = 100
_NOTE_ROOM_CHARS = 4
_REJECT_FACTOR = 1.8  # so far outside that no style explains it

_MARKS = frozenset("".join(row.final_marks for row in LANGUAGES.values())) | frozenset(".…")
_CLOSING = " \t\r\n\u00a0\u202f\"'“”„«»’」』)）]】*_`"
_ENDS = _MARKS | frozenset(":：;；؛-–—")
# A text without its second half is half as long as usual; what misses a mark by habit is not.
_SHORTER = 0.85
_SHORT_CHARS, _MIN_CHARS = 20, 8  # of English; the length of shorter texts says little, or nothing
_OPEN, _CLOSED = regex.compile("[(（「『«“【]"), regex.compile("[)）」』»”】]")

# Separators inside a number differ between languages (1,000 1.000 1 000), so they are dropped.
_NUMBER = regex.compile(r"\p{Nd}+(?:[.,٫٬\u00a0\u202f]\p{Nd}+)*")
_DIGIT = regex.compile(r"\p{Nd}")

_MIN_LEXICON_WORDS = 4  # shorter answers are said in too many ways
_SHOWN_WORDS = 4


@rule("the image tag is not byte for byte where it was")
def structure(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if not image_tags_moved(pair.source, pair.target):
        return None
    return Said(Verdict.REJECT, "the <image> tag was lost, added or moved")


@rule("a protected span is missing, changed or made up")
def placeholder(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    """Spans are URLs, code, LaTeX, boxes, placeholders; the image tag is `structure`'s."""
    if not pair.source_spans and not pair.target_spans:
        return None
    difference = span_difference(pair.source_spans, pair.target_spans)
    for verdict, said, spans in (
        (Verdict.REJECT, "missing or changed", difference.missing),
        (Verdict.REVIEW, "not in the English", difference.extra),
    ):
        if named := [quoted(text) for text in spans if text != IMAGE_TAG]:
            return Said(verdict, f"{said}: {', '.join(named)}", float(len(named)))
    return None


def broken_structure(sample: TranslatedSample) -> str | None:
    """Why the target turns do not match the source turns at all, or None."""
    source, target = sample.source, sample.target
    if len(source) != len(target):
        return f"{len(target)} target turns for {len(source)} source turns"
    if len(sample.meta) != len(source):
        return f"{len(sample.meta)} records for {len(source)} turns"
    for index, (ours, theirs) in enumerate(zip(source, target, strict=True), start=1):
        if ours.role is not theirs.role:
            return f"turn {index} is by {theirs.role} but was by {ours.role}"
    return None


@rule("there is no translation")
def empty(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    says = any(map(str.isalnum, pair.target_words)) or not any(map(str.isalnum, pair.source_words))
    return None if says else Said(Verdict.REJECT, "the translation is empty")


@rule("much shorter or longer than translations from English usually are")
def length(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    """Catches truncation and rambling."""
    source, target = len(pair.source_words), len(pair.target_words)
    if not source or not target:
        return None
    ratio = target / source
    low, high = usual.length_ratio
    outside = max(low / ratio, ratio / high)
    room = 1 + _ROOM_CHARS / source + _ROOM_CHARS_SQUARED / source**2
    if outside > room * _REJECT_FACTOR:
        verdict = Verdict.REJECT
    elif outside > room:
        verdict = Verdict.REVIEW
    elif outside > 1 + _NOTE_ROOM_CHARS / source:
        verdict = Verdict.NOTE
    else:
        return None
    word = "short" if ratio < low else "long"
    return Said(verdict, f"too {word}: {target} characters for {source} of English", ratio)


@rule("stops without a final mark, shorter than usual")
def unfinished(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    """Stops in the middle although the engine says that it is whole.

    The missing mark alone is a note of `punctuation`: 0-3% of gold rows miss it, ours to ask.
    Together with a text shorter than usual, or a bracket that nothing closes, it asks for review.
    """
    source, target = pair.source_words.rstrip(_CLOSING), pair.target_words.rstrip(_CLOSING)
    if len(source) < _MIN_CHARS or source[-1] not in _MARKS:
        return None
    if not target or target[-1] in _ENDS:
        return None
    ratio = len(target) / len(source)
    share = _SHORTER if len(source) >= _SHORT_CHARS else usual.short_unfinished_share
    if ratio < usual.usual_ratio * share:
        said = f"no mark at the end, {ratio / usual.usual_ratio:.0%} of the usual length"
        return Said(Verdict.REVIEW, said, ratio)
    if _left_open(pair.target_words) > 0 and _left_open(pair.source_words) == 0:
        return Said(Verdict.REVIEW, "no mark at the end, and a bracket left open", ratio)
    return None


def _left_open(text: str) -> int:
    return len(_OPEN.findall(text)) - len(_CLOSED.findall(text))


@rule("the final mark is missing, or is another language's")
def punctuation(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    """A note only: usage varies (7-12% of gold Bengali and Urdu sentences end otherwise)."""
    source, target = pair.source.rstrip(_CLOSING), pair.target.rstrip(_CLOSING)
    if not source or not target or source[-1] not in _MARKS:
        return None
    if target[-1] not in _MARKS:
        return Said(Verdict.NOTE, "no mark at the end")
    if target[-1] != "…" and target[-1] not in info(lang).final_marks:
        return Said(Verdict.NOTE, f"ends with '{target[-1]}'")
    return None


@rule("a number of the English is not in the translation")
def numbers(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    """A note only: 3-18% of gold pairs spell a number out, or write it otherwise."""
    wanted = _numbers(pair.source_words)
    missing = wanted - _numbers(pair.target_words) if wanted else wanted
    if not missing:
        return None
    return Said(Verdict.NOTE, f"numbers missing: {', '.join(missing)}", float(missing.total()))


def _numbers(text: str) -> Counter[str]:
    """Digits of each number, in ASCII: ২০ and 20 are one."""
    return Counter(
        "".join(str(int(digit)) for digit in _DIGIT.findall(number))
        for number in _NUMBER.findall(text)
    )


@rule("common words of the English have no counterpart: perhaps another text's translation")
def lexicon(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    """Sees some of the translations that stand in the wrong row; see palo/checks/lexicon.py."""
    if lang not in lexicon_languages() or not pair.target_words:
        return None
    if len(pair.source_words.split()) < _MIN_LEXICON_WORDS:
        return None
    score, missing = agreement(pair.source_words, pair.target_words, lang)
    if score >= usual.lexicon_score:
        return None
    return Said(Verdict.REVIEW, f"nothing says: {', '.join(missing[:_SHOWN_WORDS])}", score)
