"""Letters: of which script (by the Unicode properties of `regex`), and of which neighbour's.

A neighbour's are other Han characters in Chinese and Japanese, and Arabic letters in Urdu.
"""

from collections import Counter
from functools import cache, lru_cache

import regex

from palo.languages import LANGUAGES, info

# Only letters count, so vowel signs and Arabic marks weigh nothing on either side. The long mark
# of kana is no letter of any one script for Unicode, but it is for us.
_OWN_NAMES = {"Hiragana": "Kana", "Katakana": "Kana"}
# Arabic letters that have an Urdu twin: Arabic keyboards and fonts write one for the other.
_URDU_TWINS = {"ي": "ی", "ى": "ی", "ك": "ک", "ه": "ہ", "ة": "ۃ"}


def _letter_pattern() -> str:
    """A group a script of the table's languages, and one for letters of all others."""
    members: dict[str, list[str]] = {}
    for row in LANGUAGES.values():
        for name in row.scripts:
            members.setdefault(_OWN_NAMES.get(name, name), []).append(rf"\p{{{name}}}")
    members["Kana"].append("ー")
    groups = [
        rf"(?P<{script}>[[{''.join(dict.fromkeys(names))}]&&\p{{L}}])"
        for script, names in members.items()
    ]
    return "|".join([*groups, r"(?P<Other>\p{L})"])


_LETTER = regex.compile(_letter_pattern(), regex.V1)
# A Han character says about as much as three Latin letters, a kana as two (gold pairs have .35 and
# .5 characters for one of English), so one name in Latin letters does not outweigh a sentence.
_WEIGHTS = {"Han": 3, "Kana": 2}


def script_counts(text: str) -> Counter[str]:
    """Letters by script; Hiragana and Katakana are `Kana`, all scripts not ours are `Other`."""
    counts: Counter[str] = Counter()
    if text.isascii():
        letters = sum(map(str.isalpha, text))
        return Counter({"Latin": letters}) if letters else counts
    for char, count in Counter(text).items():
        if script := _script(char):
            counts[script] += count
    return counts


@lru_cache(maxsize=1 << 16)
def _script(char: str) -> str:
    """The script of a letter, "" for all else."""
    match = _LETTER.match(char)
    return str(match.lastgroup) if match else ""


@cache
def scripts_of(lang: str) -> frozenset[str]:
    """The scripts a language is written in, by the names `script_counts` uses."""
    return frozenset(_OWN_NAMES.get(name, name) for name in info(lang).scripts)


def weighted(counts: Counter[str]) -> Counter[str]:
    """The counts by how much each script's characters say."""
    return Counter({name: count * _WEIGHTS.get(name, 1) for name, count in counts.items()})


def script_share(counts: Counter[str], lang: str) -> float | None:
    """Weighted share of the letters in the language's own scripts; None without any letter."""
    if not counts:
        return None
    if counts.keys() <= scripts_of(lang):  # as nearly always
        return 1.0
    values = weighted(counts)
    return sum(values[name] for name in scripts_of(lang)) / values.total()


def traditional_characters(text: str) -> list[str]:
    """The Han characters that only traditional Chinese has, each once, in order.

    Those are the ones in Big5, the standard of Taiwan, that GB 2312, the standard of simplified
    Chinese, lacks. On 1,000 Tatoeba rows this finds the very rows that CC-CEDICT's two columns do.
    """
    return [char for char in dict.fromkeys(text) if only_in(char, "big5", "gb2312")]


def arabic_letters(text: str) -> list[tuple[str, str]]:
    """Arabic letters and the Urdu ones they stand for, each once, in order."""
    if _URDU_TWINS.keys().isdisjoint(text):
        return []
    return [(char, _URDU_TWINS[char]) for char in dict.fromkeys(text) if char in _URDU_TWINS]


@cache
def only_in(char: str, encoding: str, other: str) -> bool:
    """Whether a Han character is in one standard only: Big5, GB 2312, JIS X 0208 (`euc_jp`)."""
    is_han = "\u4e00" <= char <= "\u9fff"
    return is_han and bool(char.encode(encoding, "ignore")) and not char.encode(other, "ignore")
