"""Makes the faults of language models out of good translations, one function a fault.

Each function takes a good pair and the language's other pairs, and returns what a model in that
failure would have given, or None where the pair gives no such fault (a statement cannot be
answered; "Orange." may stay in French). Randomness comes from the generator given alone.
"""

import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.harness import ROOT
from palo.checks.faults import phrases
from palo.languages import info
from palo.settings import read_mapping
from refine.filters import TurnPair

# The language that is most easily taken for it; half of the wrong languages are that one.
NEIGHBOUR = {
    "zh": "ja", "ja": "zh", "fr": "es", "es": "fr", "ru": "en",
    "ar": "ur", "ur": "ar", "hi": "bn", "bn": "hi",
}  # fmt: skip
# By fault and language: what no list of ours holds.
_UNSEEN_PHRASES = read_mapping(ROOT / "benchmarks" / "gold" / "unseen_phrases.yaml")
_MIN_HALVED_CHARS = {"zh": 6, "ja": 6}  # shorter texts have no half that is not a whole
_MIN_HALVED_CHARS_ELSE = 12
_LOOPS = range(4, 12)
_SPANS = ("<box>[[112, 40, 380, 412]]</box>", "https://example.org/a?b=1", "{name}", "`x = 1`")
_SYLLABLES = ("ma", "shi", "ba", "de", "le", "ni", "wo", "ta", "men", "you", "zai", "hen", "ke")
_CYRILLIC = dict(zip("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопкрстуввхиз", strict=True))


@dataclass(frozen=True)
class Scene:
    """What a fault is made of, beside the pair: the language, all languages' pairs, chance."""

    lang: str
    gold: Mapping[str, Sequence[TurnPair]]
    rng: random.Random


Fault = Callable[[TurnPair, Scene], TurnPair | None]


def wrong_language(pair: TurnPair, scene: Scene) -> TurnPair | None:
    """A text of much the same length in another of the languages; English is `source_echo`."""
    others = sorted(set(scene.gold) - {scene.lang})
    near = NEIGHBOUR[scene.lang]
    other = near if near in others and scene.rng.random() < 0.5 else scene.rng.choice(others)
    drawn = [scene.rng.choice(scene.gold[other]) for _ in range(20)]
    best = min(drawn, key=lambda row: abs(len(row.source) - len(pair.source)))
    return TurnPair(pair.source, best.target)


def other_script(pair: TurnPair, scene: Scene) -> TurnPair | None:
    """Transliterated: into Latin letters, and what is in Latin letters into Cyrillic ones."""
    latin = "Latin" in info(scene.lang).scripts
    if latin:
        text = _cyrillic(pair.target)
    else:
        text = "".join(_romanised(char, scene.rng) for char in pair.target)
    return TurnPair(pair.source, text) if text != pair.target else None


def half_english(pair: TurnPair, scene: Scene) -> TurnPair | None:
    """The first half as it should be, the second in English."""
    words = pair.source.split()
    if len(words) < 4:
        return None
    english = " ".join(words[len(words) // 2 :])
    return TurnPair(pair.source, f"{_first_half(pair.target)} {english}")


def source_echo(pair: TurnPair, scene: Scene) -> TurnPair | None:
    return TurnPair(pair.source, pair.source) if _bare(pair.source) != _bare(pair.target) else None


def loop(pair: TurnPair, scene: Scene) -> TurnPair | None:
    """The translation begins well and ends in one phrase again and again."""
    space = "" if scene.lang in ("zh", "ja") else " "
    units = list(pair.target) if not space else pair.target.split()
    size = scene.rng.randint(1, 4) if space else scene.rng.randint(3, 8)
    phrase = space.join(units[-size:])
    if len(phrase) < 3 or not any(map(str.isalpha, phrase)):
        return None
    return TurnPair(pair.source, pair.target + (space + phrase) * scene.rng.choice(_LOOPS))


def truncation(pair: TurnPair, scene: Scene) -> TurnPair | None:
    """Cut at half, at the token limit: the engine says so."""
    cut = silent_truncation(pair, scene)
    return replace(cut, finish_reason="length") if cut else None


def silent_truncation(pair: TurnPair, scene: Scene) -> TurnPair | None:
    """Cut at half, and the engine says that all is well."""
    if len(pair.target) < _MIN_HALVED_CHARS.get(scene.lang, _MIN_HALVED_CHARS_ELSE):
        return None
    return TurnPair(pair.source, _first_half(pair.target))


def lost_placeholder(pair: TurnPair, scene: Scene) -> TurnPair | None:
    span = scene.rng.choice(_SPANS)
    return TurnPair(f"{pair.source} {span}", pair.target)


def preamble(pair: TurnPair, scene: Scene) -> TurnPair | None:
    known = phrases().preamble
    said = scene.rng.choice([*known[scene.lang], *known["en"]])
    return TurnPair(pair.source, f"{said.removesuffix(':')}:\n{pair.target}")


def unseen_preamble(pair: TurnPair, scene: Scene) -> TurnPair | None:
    said = _UNSEEN_PHRASES["preamble"][scene.rng.choice([scene.lang, "en"])]
    gap = scene.rng.choice(" \n")
    return TurnPair(pair.source, f"{said}{gap}{pair.target}")


def refusal(pair: TurnPair, scene: Scene) -> TurnPair | None:
    known = phrases().refusal
    said = scene.rng.choice([*known[scene.lang], *known["en"]])
    return TurnPair(pair.source, f"{said} …")


def unseen_refusal(pair: TurnPair, scene: Scene) -> TurnPair | None:
    said = _UNSEEN_PHRASES["refusal"][scene.rng.choice([scene.lang, "en"])]
    return TurnPair(pair.source, said)


def answered(pair: TurnPair, scene: Scene) -> TurnPair | None:
    """A statement of the language where a question should be."""
    if not pair.source.rstrip().endswith("?"):
        return None
    while (other := scene.rng.choice(scene.gold[scene.lang])).source.rstrip().endswith("?"):
        continue
    return TurnPair(pair.source, other.target)


def swapped(pair: TurnPair, scene: Scene) -> TurnPair | None:
    """The translation of another sentence, any other."""
    while (other := scene.rng.choice(scene.gold[scene.lang])).target == pair.target:
        continue
    return TurnPair(pair.source, other.target)


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        wrong_language, other_script, half_english, source_echo, loop, truncation,
        silent_truncation, lost_placeholder, preamble, unseen_preamble, refusal, unseen_refusal,
        answered, swapped,
    )
}  # fmt: skip


def faulty(name: str, lang: str, gold: Mapping[str, Sequence[TurnPair]]) -> list[TurnPair]:
    """The pairs of a language with one fault each; pairs that cannot have it are left out."""
    scene = Scene(lang, gold, random.Random(f"0:{lang}:{name}"))  # 0 is the seed
    made = (FAULTS[name](pair, scene) for pair in gold[lang])
    return [pair for pair in made if pair is not None]


def _first_half(text: str) -> str:
    """Half of the characters; tokens end anywhere, so words may be cut, clusters are not."""
    at = len(text) // 2
    while at < len(text) and unicodedata.category(text[at]).startswith("M"):
        at += 1
    return text[:at].rstrip()


def _bare(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalpha())


def _romanised(char: str, rng: random.Random) -> str:
    """A letter by its Unicode name ("BENGALI LETTER KA"); Han characters as any syllable."""
    if not unicodedata.category(char).startswith(("L", "M")):
        return char
    name = unicodedata.name(char, "")
    if name.startswith("CJK"):
        return rng.choice(_SYLLABLES) + " "
    if " SIGN " in name and " VOWEL " not in name:
        return ""
    last = name.split()[-1].lower()
    return last[:1] if name.startswith("ARABIC") else last[:2]


def _cyrillic(text: str) -> str:
    plain = unicodedata.normalize("NFD", text)
    bare = "".join(char for char in plain if not unicodedata.combining(char))
    return "".join(
        _CYRILLIC.get(char) or (_CYRILLIC.get(char.lower(), char).upper()) for char in bare
    )
