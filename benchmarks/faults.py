"""Makes the faults of language models out of good translations, one function a fault.

Each function takes a good pair and the language's other pairs, and returns what a model in that
failure would have given, or None where the pair gives no such fault (a statement cannot be
answered; "Orange." may stay in French). Randomness comes from the generator given alone.
"""

import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from palo.checks.faults import phrases
from palo.languages import info
from refine.filters import TurnPair
from refine.pairs import SourceTarget

# The language that is most easily taken for it; half of the wrong languages are that one.
NEIGHBOUR = {
    "zh": "ja", "ja": "zh", "fr": "es", "es": "fr", "ru": "en",
    "ar": "ur", "ur": "ar", "hi": "bn", "bn": "hi",
}  # fmt: skip
_MIN_HALVED_CHARS = {"zh": 6, "ja": 6}  # shorter texts have no half that is not a whole
_MIN_HALVED_CHARS_ELSE = 12
_LOOPS = range(4, 12)
_SPANS = ("<box>[[112, 40, 380, 412]]</box>", "https://example.org/a?b=1", "{name}", "`x = 1`")
_SYLLABLES = ("ma", "shi", "ba", "de", "le", "ni", "wo", "ta", "men", "you", "zai", "hen", "ke")
_CYRILLIC = dict(zip("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопкрстуввхиз", strict=True))

# Said by models, and by intention in none of palo/checks/phrases.yaml.
UNSEEN_PREAMBLES = {
    "zh": "好的，我把这句话翻译成中文如下：",
    "fr": "Bien sûr, je vous traduis cette phrase :",
    "es": "Por supuesto, te traduzco la frase:",
    "ru": "Конечно, перевожу это предложение:",
    "ja": "かしこまりました。日本語にするとこうなります：",
    "ar": "بالتأكيد، سأترجم لك هذه الجملة:",
    "hi": "ज़रूर, मैं इस वाक्य का अनुवाद करता हूँ:",
    "bn": "অবশ্যই, আমি বাক্যটি অনুবাদ করে দিচ্ছি:",
    "ur": "جی ضرور، میں اس جملے کا ترجمہ کرتا ہوں:",
    "en": "Absolutely! I've rendered the sentence for you below:",
}
UNSEEN_REFUSALS = {
    "zh": "这个请求超出了我的能力范围，我没有办法完成您的要求。",
    "fr": "Cette demande dépasse mes capacités, il m'est impossible de vous aider.",
    "es": "Esta petición supera mis capacidades, me resulta imposible ayudarte.",
    "ru": "Этот запрос выходит за рамки моих возможностей, помочь вам я не сумею.",
    "ja": "ご要望にはお応えできかねます。別のご質問をお願いいたします。",
    "ar": "هذا الطلب يتجاوز قدراتي، وليس بإمكاني مساعدتك في ذلك.",
    "hi": "यह अनुरोध मेरी क्षमता से बाहर है, मैं आपकी सहायता करने में असमर्थ हूँ।",
    "bn": "এই অনুরোধটি আমার সাধ্যের বাইরে, আমি আপনাকে সাহায্য করতে অক্ষম।",
    "ur": "یہ درخواست میری صلاحیت سے باہر ہے، میں آپ کی مدد کرنے سے قاصر ہوں۔",
    "en": "That request is beyond what I am able to do, so I have to decline.",
}


@dataclass(frozen=True)
class Scene:
    """What a fault is made of, beside the pair: the language, all languages' pairs, chance."""

    lang: str
    gold: Mapping[str, Sequence[SourceTarget]]
    rng: random.Random


Fault = Callable[[SourceTarget, Scene], TurnPair | None]


def wrong_language(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    """A text of much the same length in another of the languages; English is `source_echo`."""
    others = sorted(set(scene.gold) - {scene.lang})
    near = NEIGHBOUR[scene.lang]
    other = near if near in others and scene.rng.random() < 0.5 else scene.rng.choice(others)
    drawn = [scene.rng.choice(scene.gold[other]) for _ in range(20)]
    best = min(drawn, key=lambda row: abs(len(row.source) - len(pair.source)))
    return TurnPair(pair.source, best.target)


def other_script(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    """Transliterated: into Latin letters, and what is in Latin letters into Cyrillic ones."""
    latin = "Latin" in info(scene.lang).scripts
    text = _cyrillic(pair.target) if latin else _latin(pair.target, scene.rng)
    return TurnPair(pair.source, text) if text != pair.target else None


def half_english(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    """The first half as it should be, the second in English."""
    words = pair.source.split()
    if len(words) < 4:
        return None
    english = " ".join(words[len(words) // 2 :])
    return TurnPair(pair.source, f"{_first_half(pair.target, scene.lang)} {english}")


def source_echo(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    return TurnPair(pair.source, pair.source) if _bare(pair.source) != _bare(pair.target) else None


def loop(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    """The translation begins well and ends in one phrase again and again."""
    space = "" if scene.lang in ("zh", "ja") else " "
    units = list(pair.target) if not space else pair.target.split()
    size = scene.rng.randint(1, 4) if space else scene.rng.randint(3, 8)
    phrase = space.join(units[-size:])
    if len(phrase) < 3 or not any(map(str.isalpha, phrase)):
        return None
    return TurnPair(pair.source, pair.target + (space + phrase) * scene.rng.choice(_LOOPS))


def truncation(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    """Cut at half, at the token limit: the engine says so."""
    cut = _cut(pair, scene)
    return TurnPair(pair.source, cut, finish_reason="length") if cut else None


def silent_truncation(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    """Cut at half, and the engine says that all is well."""
    cut = _cut(pair, scene)
    return TurnPair(pair.source, cut) if cut else None


def lost_placeholder(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    span = scene.rng.choice(_SPANS)
    return TurnPair(f"{pair.source} {span}", pair.target)


def preamble(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    known = phrases().preamble
    said = scene.rng.choice([*known[scene.lang], *known["en"]])
    return TurnPair(pair.source, f"{said.removesuffix(':')}:\n{pair.target}")


def unseen_preamble(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    said, gap = UNSEEN_PREAMBLES[scene.rng.choice([scene.lang, "en"])], scene.rng.choice(" \n")
    return TurnPair(pair.source, f"{said}{gap}{pair.target}")


def refusal(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    known = phrases().refusal
    said = scene.rng.choice([*known[scene.lang], *known["en"]])
    return TurnPair(pair.source, f"{said} …")


def unseen_refusal(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    return TurnPair(pair.source, UNSEEN_REFUSALS[scene.rng.choice([scene.lang, "en"])])


def answered(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    """A statement of the language where a question should be."""
    if not pair.source.rstrip().endswith("?"):
        return None
    while (other := scene.rng.choice(scene.gold[scene.lang])).source.rstrip().endswith("?"):
        continue
    return TurnPair(pair.source, other.target)


def swapped(pair: SourceTarget, scene: Scene) -> TurnPair | None:
    """The translation of another sentence, any other."""
    while (other := scene.rng.choice(scene.gold[scene.lang])).target == pair.target:
        continue
    return TurnPair(pair.source, other.target)


FAULTS: dict[str, Fault] = {
    fault.__name__: fault
    for fault in (
        wrong_language, other_script, half_english, source_echo, loop, truncation,
        silent_truncation, lost_placeholder, preamble, unseen_preamble, refusal, unseen_refusal,
        answered,
    )
}  # fmt: skip


def faulty(
    name: str, lang: str, gold: Mapping[str, Sequence[SourceTarget]], seed: int = 0
) -> list[TurnPair]:
    """The pairs of a language with one fault each; pairs that cannot have it are left out."""
    fault = swapped if name == "swapped" else FAULTS[name]
    scene = Scene(lang, gold, random.Random(f"{seed}:{lang}:{name}"))
    made = (fault(pair, scene) for pair in gold[lang])
    return [pair for pair in made if pair is not None]


def _cut(pair: SourceTarget, scene: Scene) -> str | None:
    least = _MIN_HALVED_CHARS.get(scene.lang, _MIN_HALVED_CHARS_ELSE)
    return _first_half(pair.target, scene.lang) if len(pair.target) >= least else None


def _first_half(text: str, lang: str) -> str:
    """Half of the characters; tokens end anywhere, so words may be cut, clusters are not."""
    at = len(text) // 2
    while at < len(text) and unicodedata.category(text[at]).startswith("M"):
        at += 1
    return text[:at].rstrip()


def _bare(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalpha())


def _latin(text: str, rng: random.Random) -> str:
    """Letters by their Unicode names ("BENGALI LETTER KA"); Han characters as any syllable."""
    return "".join(_romanised(char, rng) for char in text)


def _romanised(char: str, rng: random.Random) -> str:
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
