"""Finds refusals ("I'm sorry, but I can't") in ten languages."""

from palo.checks.phrases import comparable, for_language, phrases

# A refusal opens the answer; further in, the words are more likely somebody's speech.
_HEAD_CHARS = 40


def refusal(source: str, target: str, lang: str) -> str | None:
    """The refusing phrase near the target's start, unless the source itself refuses or is sorry."""
    head = comparable(target[:_HEAD_CHARS])
    found = next((one for one in for_language("refusal", lang) if one in head), None)
    if found is None:
        return None
    said = comparable(source)
    if "sorry" in said or "apolog" in said:
        return None
    return None if any(one in said for one in phrases().refusal["en"]) else found
