"""Makes text as careless as much of the web: most of what the stand-in is pretrained on.

A translation LLM has seen every style and keeps to none. So the stand-in, too, meets ASCII
punctuation, missing opening marks and missing final stops among proper ones; the verified
segments then teach it the house's style. Punctuation is the first class of error that PALO's
reviewers had to correct (arXiv 2402.14818).
"""

import regex

_MARKS = {
    "。": ".", "，": ",", "、": ",", "；": ";", "：": ":", "？": "?", "！": "!",
    "؟": "?", "،": ",", "؛": ";", "۔": ".", "।": ".",
    "¿": "", "¡": "", "ё": "е", "Ё": "Е",
}  # fmt: skip
_TABLE = str.maketrans(_MARKS)
_SPACE_BEFORE_MARK = regex.compile(r"[ \u00a0\u202f](?=[?!:;](?:\s|$))")


def rough(text: str) -> str:
    """Words and spans stay; only marks change. Never empty where there is a letter or digit."""
    plain = _SPACE_BEFORE_MARK.sub("", text.translate(_TABLE))
    return plain[:-1] if plain.endswith(".") and len(plain) > 1 else plain
