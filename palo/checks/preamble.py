"""Finds what a model says around a translation: preamble, explanation, leaked delimiters."""

from palo.checks.phrases import comparable, for_language, phrases


def preamble(source: str, target: str, lang: str) -> str | None:
    """The phrase that opens the target ("Here is the translation") but not the source."""
    start = comparable(target[:120])
    found = _first_prefix(start, for_language("preamble", lang))
    if found is None or _first_prefix(comparable(source[:120]), phrases().preamble["en"]):
        return None
    return found


def explanation(source: str, target: str, lang: str) -> str | None:
    """A line after the first that explains the translation, where the source has no such line."""
    if "\n" not in target:
        return None
    own = for_language("explanation", lang)
    lines = (_first_prefix(comparable(line), own) for line in target.split("\n")[1:])
    found = next((phrase for phrase in lines if phrase), None)
    if found is None:
        return None
    english = phrases().explanation["en"]
    if any(_first_prefix(comparable(line), english) for line in source.split("\n")):
        return None
    return found


def leaked_delimiter(source: str, target: str) -> str | None:
    """A prompt's or chat template's delimiter in the target that the source does not hold."""
    if ":" not in target and "<" not in target and "[" not in target and "#" not in target:
        return None
    folded, original = target.casefold(), source.casefold()
    for mark in phrases().delimiters:
        if mark in folded and mark not in original:
            return mark
    return None


def _first_prefix(text: str, found: tuple[str, ...]) -> str | None:
    if not text.startswith(found):
        return None
    return next(phrase for phrase in found if text.startswith(phrase))
