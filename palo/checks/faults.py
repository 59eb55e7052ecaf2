"""What language models do instead of translating: introduce, explain, refuse, answer, loop.

Their phrases are data: phrases.yaml.
"""

from dataclasses import dataclass
from functools import cache

import regex

from palo.files import read_yaml
from palo.languages import LANGUAGES

_OPENING = " \t\r\n\"'“”„«»‘’「『《*_#>"
_QUESTION_MARKS = frozenset("?？؟⁇")
# A preamble or refusal opens the answer; further in, the words are more likely somebody's speech.
_PREAMBLE_CHARS, _REFUSAL_CHARS = 120, 40
# So much finds 56 of 74 known hallucinations, and flags 1 of 12,048 gold sentences falsely.
MIN_PHRASE_CHARS = 3
MIN_REPEATS = 3
_SHORT_CHARS = 600  # up to these a look at every fourth place is faster, though quadratic


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
    raw = read_yaml(__file__, "phrases.yaml")
    said = {
        kind: {lang: tuple(map(comparable, lines)) for lang, lines in raw[kind].items()}
        for kind in ("preamble", "explanation", "refusal")
    }
    said["preamble"]["en"] += tuple(f"in {row.name.casefold()}:" for row in LANGUAGES.values())
    return Phrases(
        **said,
        asks_first={lang: tuple(words) for lang, words in raw["asks_first"].items()},
        asks_last={lang: tuple(words) for lang, words in raw["asks_last"].items()},
        only_english=frozenset(raw["only_english"]),
        delimiters=tuple(map(str.casefold, raw["delimiters"])),
    )


def comparable(text: str) -> str:
    """Case-folded, with straight apostrophes, without opening quotes and marks."""
    return text.lstrip(_OPENING).casefold().replace("’", "'")


@cache
def _for_language(kind: str, lang: str) -> tuple[str, ...]:
    """With the English ones: a model explains itself in English whatever it translates into."""
    table: dict[str, tuple[str, ...]] = getattr(phrases(), kind)
    return table["en"] if lang == "en" else table["en"] + table.get(lang, ())


def _opening(text: str, known: tuple[str, ...]) -> str | None:
    """The known phrase that the text begins with."""
    text = comparable(text)
    if not text.startswith(known):
        return None
    return next(phrase for phrase in known if text.startswith(phrase))


def preamble(source: str, target: str, lang: str) -> str | None:
    """The phrase that opens the target ("Here is the translation") but not the source."""
    phrase = _opening(target[:_PREAMBLE_CHARS], _for_language("preamble", lang))
    own = phrase and _opening(source[:_PREAMBLE_CHARS], _for_language("preamble", "en"))
    return None if own else phrase


def explanation(source: str, target: str, lang: str) -> str | None:
    """A line after the first that explains the translation, where the source has no such line."""
    known = _for_language("explanation", lang)
    lines = (_opening(line, known) for line in target.split("\n")[1:])
    phrase = next(filter(None, lines), None)
    english = _for_language("explanation", "en")
    if phrase is None or any(_opening(line, english) for line in source.split("\n")):
        return None
    return phrase


def leaked_delimiter(source: str, target: str) -> str | None:
    """A prompt's or chat template's delimiter in the target that the source does not hold."""
    if ":" not in target and "<" not in target and "[" not in target and "#" not in target:
        return None
    folded, original = target.casefold(), source.casefold()
    marks = phrases().delimiters
    return next((mark for mark in marks if mark in folded and mark not in original), None)


def refusal(source: str, target: str, lang: str) -> str | None:
    """The refusing phrase near the target's start, unless the source itself refuses or is sorry."""
    head = comparable(target[:_REFUSAL_CHARS])
    phrase = next((known for known in _for_language("refusal", lang) if known in head), None)
    if phrase is None:
        return None
    said = comparable(source)
    own = ("sorry", "apolog", *_for_language("refusal", "en"))
    return None if any(known in said for known in own) else phrase


def answered(source: str, target: str, lang: str) -> bool:
    """Whether an English question became a text that asks nothing.

    A question mark of any script asks; where careless writers leave it out, so does a particle at
    the end of a sentence (Chinese, Japanese) or a question word at its start (Arabic, Hindi,
    Bengali, Urdu). Of 1,336 questions of benchmarks/gold 28 have neither.
    """
    if not source.rstrip().endswith("?") or not _QUESTION_MARKS.isdisjoint(target):
        return False
    asking = _asking(lang)
    return asking is None or asking.search(target) is None


@cache
def _asking(lang: str) -> "regex.Pattern[str] | None":
    first, last = phrases().asks_first.get(lang), phrases().asks_last.get(lang)
    words = "|".join(map(regex.escape, first or last or ()))
    if first:
        return regex.compile(rf"(?:^|[.!۔।\n،])\W*(?:{words})\b")
    return regex.compile(rf"(?:{words})[\s\p{{P}}]*(?:$|[。！…\n」』])") if last else None


def repeated_phrase(text: str) -> str | None:
    """The first phrase of >= 3 characters that stands >= 3 times in a row, or None.

    Works on characters, so also where no spaces part the words. Rules of lines and tables
    ("-----") hold no letter and are no phrase. About linear in the length of the text: a loop of
    period p shows as one trigram at distances p, p; only such places are looked at closer.
    """
    if len(text) < MIN_PHRASE_CHARS * MIN_REPEATS - 1:
        return None
    if len(text) <= _SHORT_CHARS and not _may_loop(text + " "):
        return None
    text += " "  # the last of three phrases has no space behind it
    last_seen: dict[str, int] = {}
    distance = [0] * len(text)
    refuted: dict[int, int] = {}  # period -> up to where no loop of this period begins
    for at in range(len(text) - 2):
        trigram = text[at : at + 3]
        before = last_seen.get(trigram)
        last_seen[trigram] = at
        if before is None:
            continue
        period = distance[at] = at - before
        if distance[before] != period:
            continue
        if period < MIN_PHRASE_CHARS:  # "哈哈哈..." is a phrase of three characters as well
            period *= 3 if period == 1 else 2
        if at < max(period, refuted.get(period, 0)):
            continue
        left = right = at  # the stretch in which every character equals the one a period earlier
        while left > period and text[left - 1] == text[left - 1 - period]:
            left -= 1
        while right < len(text) and text[right] == text[right - period]:
            right += 1
        phrase = text[left - period : left]
        if right - left >= (MIN_REPEATS - 1) * period and any(map(str.isalpha, phrase)):
            return phrase.strip()
        refuted[period] = right
    return None


def _may_loop(text: str) -> bool:
    """Whether a stretch of three characters or more stands twice in a row; sees every loop.

    Of a loop's first period and the place behind it, four places at least, one is a multiple of
    four, and the period that begins there stands there twice.
    """
    for at in range(0, len(text) - 2, 4):
        trigram = text[at : at + 3]
        again = text.find(trigram, at + 1)
        while again >= 0:
            if again - at >= MIN_PHRASE_CHARS and text[at:again] == text[again : 2 * again - at]:
                return True
            again = text.find(trigram, again + 1)
    return False
