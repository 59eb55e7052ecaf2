"""The translation must be in its language: by language ID, its script, and its very letters."""

from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from itertools import pairwise

import regex

from palo.checks import script as letters
from palo.checks.faults import phrases
from palo.checks.language import MIN_LETTERS, UNKNOWN, Detection, LanguageId
from palo.checks.script import script_counts, script_share
from palo.languages import LANGUAGES, Language, info
from palo.schemas import Finding, Verdict
from refine.filters import Bands, Filter, Rule, Said, Thresholds, TurnPair, bands_of, quoted, rule

# On 1,000 Tatoeba pairs a language, text in the right language was called another one with at most
# 27 letters; only rows that truly are in another language have more.
SURE_LETTERS = 30
# A few Latin words are too little for the model to overrule the translator.
_DOUBT_SHARE = 0.9
_DOUBT_LETTERS = 18

_REJECT_SCRIPT_SHARE = 0.4  # most of it is in other letters
_UNIT_CHARS = 3
_LATIN_WORD = regex.compile(r"\p{Latin}[\p{Latin}'’-]*")

# So many words of the English in a row, one of them in small letters, are no name.
_MIN_WORDS = 3
_MIN_PAIRED_LETTERS = 3  # of the longest word in small letters, where two stand in a row
_MIN_SENTENCE_LETTERS = 12
_SURE_SHARE = 0.9
_WORD = regex.compile(r"\p{Latin}[\p{Latin}\p{M}'’-]*")
_SENTENCE = regex.compile(r"[^.!?。！？।۔؟…\n]+")
# The languages in Latin letters that `only_english` of phrases.yaml was held against. In others
# such a word may be their own (German "was", "will"), so one alone says nothing.
_HELD_AGAINST = frozenset({"fr", "es"})
# Words that every other English sentence has and no French or Spanish one.
_ENGLISH = regex.compile(
    r"\b(?:the|is|are|was|of|and|with|this|that|it|there|they|you|what|which|to|in the)\b",
    regex.IGNORECASE,
)
_SHOWN_CHARACTERS = 5


class LanguageFilter(Filter):
    """By fastText and the scripts' own witness.

    A text too short for either ("Dos.") is taken for what it should be, unless its conversation as
    a whole surely is in another language.
    """

    name = "language"
    about = "the translation is in another language"

    def __init__(self, identifier: LanguageId, bands: Bands | None = None) -> None:
        self._identifier, self._bands = identifier, bands

    def judge(self, pairs: Sequence[TurnPair], lang: str) -> list[Finding | None]:
        detect, least = self._identifier.detect_letters, bands_of(lang, self._bands).foreign_share
        seen = [detect(pair.target_words, lang, pair.target_scripts) for pair in pairs]
        findings = [self._finding(detection, lang, least) for detection in seen]
        turns: dict[str, list[int]] = defaultdict(list)
        for at, pair in enumerate(pairs):
            if pair.conversation:
                turns[pair.conversation].append(at)
        for places in turns.values():
            right = [at for at in places if seen[at].lang == lang]
            short = [at for at in right if seen[at].letters < MIN_LETTERS]
            num_long = sum(seen[at].letters >= MIN_LETTERS for at in places)
            # mostly all long turns are in the language, and there is nothing to ask
            if not short or (num_long and len(right) - len(short) == num_long):
                continue
            whole = detect("\n".join(pairs[at].target_words for at in places), lang)
            if whole.lang != lang and _is_sure(whole, least):
                said = f"short, in a conversation that looks like {_name(whole.lang)}"
                for at in short:
                    findings[at] = self.finding(Verdict.REVIEW, said, whole.share)
        return findings

    def _finding(self, seen: Detection, lang: str, least: float) -> Finding | None:
        if not seen.letters or seen.lang == lang:
            return None
        if _is_sure(seen, least):
            verdict = Verdict.REJECT
        elif seen.share >= _DOUBT_SHARE or seen.letters >= _DOUBT_LETTERS:
            verdict = Verdict.REVIEW
        else:
            verdict = Verdict.NOTE
        said = f"looks like {_name(seen.lang)}, not {_name(lang)}"
        return self.finding(verdict, said, seen.share)


def _is_sure(seen: Detection, least: float) -> bool:
    return seen.share >= least and seen.letters >= SURE_LETTERS


def _name(code: str) -> str:
    if code in list(Language):
        return LANGUAGES[Language(code)].name
    if code == UNKNOWN:
        return "another language"
    return "Persian" if code == "fa" else f"another language ({code})"


@rule("letters of another script, such as English left in")
def script(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    """The letters must be the language's own: catches English left in."""
    share = script_share(pair.target_scripts, lang)
    if share is not None and share < usual.script_share:
        share = script_share(without_names(pair), lang)
    if share is None or share >= usual.script_share:
        return None
    verdict = Verdict.REJECT if share < _REJECT_SCRIPT_SHARE else Verdict.REVIEW
    left = _LATIN_WORD.search(pair.target_words)
    example = f", for example {quoted(left.group())}" if left else ""
    return Said(verdict, f"{share:.0%} of the letters are of the language's script{example}", share)


def without_names(pair: TurnPair) -> Counter[str]:
    """Letters by script without names, acronyms and units, which may stay in Latin letters.

    A word counts as a name where the English writes it with a capital inside a sentence; at the
    start of one a capital says nothing. A unit stands behind a number ("28 px").
    """
    names = {
        match.group()
        for match in _LATIN_WORD.finditer(pair.source_words)
        if _may_stay(pair.source_words, match.start(), match.group())
    }
    if not names:
        return pair.target_scripts
    return script_counts(
        _LATIN_WORD.sub(
            lambda match: "" if match.group() in names else match.group(), pair.target_words
        )
    )


def _may_stay(text: str, start: int, word: str) -> bool:
    before = text[:start].rstrip(" \"'“‘(")
    if len(word) <= _UNIT_CHARS and before[-1:].isdigit():
        return True
    if word == "I" or not word[0].isupper():
        return False
    if len(word) > 1 and word.isupper():
        return True
    return bool(before) and before[-1] not in ".!?:\n"


def mixed(identifier: LanguageId) -> Rule:
    """English sentences, halves of them, or lone words of them."""

    @rule("English words or sentences inside the translation")
    def mixed(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
        if lang == "en" or not pair.target_scripts["Latin"]:
            return None
        words = _WORD.findall(pair.target_words)
        is_told = lang in _HELD_AGAINST or "Latin" not in info(lang).scripts
        only = phrases().only_english if is_told else frozenset[str]()
        left = _echo(pair.source_words, words, only) or _sentence(pair.target_words, identifier)
        return Said(Verdict.REVIEW, f"English left in: {quoted(left)}") if left else None

    return mixed


def _sentence(text: str, identifier: LanguageId) -> str | None:
    """The first one that is surely English."""
    if _ENGLISH.search(text) is None:
        return None
    for sentence in map(str.strip, _SENTENCE.findall(text)):
        latin = " ".join(_WORD.findall(sentence))
        if _ENGLISH.search(sentence) is None or len(latin) < _MIN_SENTENCE_LETTERS:
            continue
        seen = identifier.detect_letters(latin)
        if seen.lang == "en" and seen.share >= _SURE_SHARE:
            return sentence
    return None


def _echo(source: str, words: Sequence[str], only_english: Set[str]) -> str | None:
    """Words of the English that stand in the translation: one that is only English, or a row."""
    english = _WORD.findall(source)
    small = {word for word in english if word.islower()}
    if small.isdisjoint(words):
        return None
    for word in words:
        if word in small and word in only_english:
            return word
    rows = {(first.lower(), second.lower()) for first, second in pairwise(english)}
    for first, second in pairwise(words):
        if (first.lower(), second.lower()) in rows:
            letters = max(len(word) if word in small else 0 for word in (first, second))
            if letters >= _MIN_PAIRED_LETTERS:
                return f"{first} {second}"
    text = f" {' '.join(english).lower()} "
    for start in range(len(words) - _MIN_WORDS + 1):
        row = words[start : start + _MIN_WORDS]
        if any(word[0].islower() for word in row) and f" {' '.join(row).lower()} " in text:
            return " ".join(row)
    return None


@rule("traditional characters in simplified Chinese")
def traditional(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if lang != "zh" or not (characters := letters.traditional_characters(pair.target_words)):
        return None
    said = f"traditional characters: {' '.join(characters[:_SHOWN_CHARACTERS])}"
    return Said(Verdict.REVIEW, said, len(characters))


@rule("Arabic letters where Urdu has its own")
def arabic_letters(pair: TurnPair, lang: str, usual: Thresholds) -> Said | None:
    if lang != "ur" or not (twins := letters.arabic_letters(pair.target_words)):
        return None
    said = ", ".join(f"{arabic} for {urdu}" for arabic, urdu in twins)
    return Said(Verdict.REVIEW, f"Arabic letters: {said}", len(twins))
