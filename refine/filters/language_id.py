"""The translation must be in its language: fastText and the scripts' own witness."""

from palo.checks.language import UNKNOWN, Detection, LanguageId
from palo.languages import LANGUAGES, Language
from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair

# On 1,000 Tatoeba pairs a language, text in the right language was called another one at most at
# .90 and 27 letters; only rows that truly are in another language went beyond both.
_SURE_SHARE = 0.95
_SURE_LETTERS = 30
# A few Latin words are too little for the model to overrule the translator.
_DOUBT_SHARE = 0.9
_DOUBT_LETTERS = 18


class LanguageFilter(Filter):
    name = "language"
    about = "the translation is in another language"

    def __init__(self, identifier: LanguageId) -> None:
        self.identifier = identifier

    def look(self, pair: Pair, lang: str) -> Finding | None:
        found = self.identifier.detect_letters(pair.target_words, lang, pair.target_scripts)
        if not found.letters or found.lang == lang:
            return None
        return self.finding(
            _verdict(found), f"looks like {_name(found.lang)}, not {_name(lang)}", found.share
        )


def _verdict(found: Detection) -> Verdict:
    if found.share >= _SURE_SHARE and found.letters >= _SURE_LETTERS:
        return Verdict.REJECT
    if found.share >= _DOUBT_SHARE or found.letters >= _DOUBT_LETTERS:
        return Verdict.REVIEW
    return Verdict.NOTE


def _name(code: str) -> str:
    if code in list(Language):
        return LANGUAGES[Language(code)].name
    if code == UNKNOWN:
        return "another language"
    return "Persian" if code == "fa" else f"another language ({code})"
