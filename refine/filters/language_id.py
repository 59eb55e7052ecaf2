"""The translation must be in its language: fastText and the scripts' own witness.

A text too short for either ("Dos.") is taken for what it should be, unless its conversation as a
whole surely is in another language.
"""

from collections import defaultdict
from collections.abc import Sequence

from palo.checks.language import MIN_LETTERS, UNKNOWN, Detection, LanguageId
from palo.languages import LANGUAGES, Language
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair
from refine.filters.thresholds import Bands, thresholds

# On 1,000 Tatoeba pairs a language, text in the right language was called another one with at most
# 27 letters; only rows that truly are in another language have more.
SURE_LETTERS = 30
# A few Latin words are too little for the model to overrule the translator.
_DOUBT_SHARE = 0.9
_DOUBT_LETTERS = 18


class LanguageFilter(Filter):
    name = "language"
    about = "the translation is in another language"

    def __init__(self, identifier: LanguageId, bands: Bands | None = None) -> None:
        self.identifier = identifier
        self.bands = bands

    def look(self, pair: Pair, lang: str) -> Finding | None:
        return self._finding(self._detect(pair, lang), lang)

    def judge(self, pairs: Sequence[Pair], lang: str) -> list[Finding | None]:
        seen = [self._detect(pair, lang) for pair in pairs]
        found = [self._finding(one, lang) for one in seen]
        turns: dict[str, list[int]] = defaultdict(list)
        for at, pair in enumerate(pairs):
            if pair.conversation:
                turns[pair.conversation].append(at)
        for places in turns.values():
            short = [at for at in places if seen[at].lang == lang and _is_short(seen[at])]
            long = [at for at in places if not _is_short(seen[at])]
            # mostly all long turns are in the language, and there is nothing to ask
            if not short or (long and all(seen[at].lang == lang for at in long)):
                continue
            words = "\n".join(pairs[at].target_words for at in places)
            whole = self.identifier.detect_letters(words, lang)
            if whole.lang != lang and self._is_sure(whole, lang):
                said = f"short, in a conversation that looks like {_name(whole.lang)}"
                for at in short:
                    found[at] = self.finding(Verdict.REVIEW, said, whole.share)
        return found

    def _detect(self, pair: Pair, lang: str) -> Detection:
        return self.identifier.detect_letters(pair.target_words, lang, pair.target_scripts)

    def _finding(self, seen: Detection, lang: str) -> Finding | None:
        if not seen.letters or seen.lang == lang:
            return None
        said = f"looks like {_name(seen.lang)}, not {_name(lang)}"
        return self.finding(self._verdict(seen, lang), said, seen.share)

    def _verdict(self, seen: Detection, lang: str) -> Verdict:
        if self._is_sure(seen, lang):
            return Verdict.REJECT
        if seen.share >= _DOUBT_SHARE or seen.letters >= _DOUBT_LETTERS:
            return Verdict.REVIEW
        return Verdict.NOTE

    def _is_sure(self, seen: Detection, lang: str) -> bool:
        share = thresholds(lang, self.bands).foreign_share
        return seen.share >= share and seen.letters >= SURE_LETTERS


def _is_short(seen: Detection) -> bool:
    return seen.letters < MIN_LETTERS


def _name(code: str) -> str:
    if code in list(Language):
        return LANGUAGES[Language(code)].name
    if code == UNKNOWN:
        return "another language"
    return "Persian" if code == "fa" else f"another language ({code})"
