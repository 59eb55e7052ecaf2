"""Numbers of the source should be in the translation, in whatever digits."""

from collections import Counter

import regex

from palo.schemas import Finding, Verdict
from refine.filters.contract import Filter, Pair

# Separators inside a number differ between languages (1,000 1.000 1 000), so they are dropped.
_NUMBER = regex.compile(r"\p{Nd}+(?:[.,٫٬\u00a0\u202f]\p{Nd}+)*")
_DIGIT = regex.compile(r"\p{Nd}")


class NumbersFilter(Filter):
    """A note only: 3-18% of gold pairs spell a number out, or write it otherwise."""

    name = "numbers"
    about = "a number of the English is not in the translation"

    def look(self, pair: Pair, lang: str) -> Finding | None:
        wanted = _numbers(pair.source_words)
        if not wanted:
            return None
        missing = wanted - _numbers(pair.target_words)
        if not missing:
            return None
        return self.finding(
            Verdict.NOTE, "numbers missing: " + ", ".join(missing), float(missing.total())
        )


def _numbers(text: str) -> Counter[str]:
    """Digits of each number, in ASCII: ২০ and 20 are one."""
    return Counter(
        "".join(str(int(digit)) for digit in _DIGIT.findall(match.group()))
        for match in _NUMBER.finditer(text)
    )
