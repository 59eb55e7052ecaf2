"""Makes text as careless as much of the web: most of what the stand-in is pretrained on.

ASCII punctuation for each script's own, no opening marks, no final stops. Punctuation is the first
class of error that PALO's reviewers had to correct (arXiv 2402.14818): the verified segments teach
the stand-in the house's style, in every language.
"""

import regex

_MARKS = {
    "。": ".", "，": ",", "、": ",", "；": ";", "：": ":", "？": "?", "！": "!",
    "؟": "?", "،": ",", "؛": ";", "۔": ".", "।": ".",
    "¿": "", "¡": "",
}  # fmt: skip
_TABLE = str.maketrans(_MARKS)
_SPACE_BEFORE_MARK = regex.compile(r"[ \u00a0\u202f](?=[?!:;](?:\s|$))")


def rough(text: str) -> str:
    """Words and spans stay; only marks change. Never empty where there is a letter or digit."""
    plain = _SPACE_BEFORE_MARK.sub("", text.translate(_TABLE))
    return plain[:-1] if plain.endswith(".") and len(plain) > 1 else plain
