"""Grammars: words and sentences are in a file a language (`fr.yaml`); here messages become turns.

The noun of a phrase decides which form of every other word stands there. A word is written as its
forms, in the order of the file's `forms`, with a space between them; those for feminine, then for
neuter nouns come after a bar: `bleu bleus | bleue bleues`. Where fewer are written, the last stands
for the rest: `orange` never changes.

A file's `sentences` has a sentence for every message, that of SayList for a line of the list. Where
there are several, the message's number (or truth) chooses: its variant, what was there before. In
braces (Jinja's) stand the message's fields, the file's `words` and `forms`, and what the methods of
its grammar make of them.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from palo.files import read_yaml
from palo.languages import LANGUAGES, Language
from sceneworld.messages import Colour, Group, Kind, Message, SayList, Shape, Size

# Those that have a grammar here: a further language of the table need not have one.
SPOKEN = tuple(lang for lang in LANGUAGES if Path(__file__).with_name(f"{lang}.yaml").is_file())


class Grammar:
    """Words that agree, and phrases of them; languages that need more have their own class."""

    def __init__(self, lang: str) -> None:
        from jinja2 import Environment, StrictUndefined
        from jinja2.filters import do_sum

        told = read_yaml(__file__, f"{lang}.yaml")
        self.gap = " " if LANGUAGES[Language(lang)].spaced else ""
        self.order = told.get("order", ("size", "colour", "noun"))
        self.forms = {form: number for number, form in enumerate(told.get("forms", ()))}
        self.nouns, self.adjectives = told["nouns"], told["colours"] | told["sizes"]
        self.genders = (told.get("feminine", ()), told.get("neuter", ()))
        self.numbers, self.joins = told["numbers"], told["joins"]
        self.regions = told["regions"]
        self.sentences: Mapping[str, Any] = told["sentences"]
        self._known = {**self.forms, **told.get("words", {}), "anything": Kind()}
        self._known |= {key: told[key] for key in ("numbers", "regions", "sides")}
        self._jinja = Environment(
            variable_start_string="{", variable_end_string="}", undefined=StrictUndefined
        )
        own = {name: getattr(self, name) for name in dir(self) if name[0] != "_"}
        # They are asked for the same few phrases again and again.
        self._jinja.filters = {name: cache(part) for name, part in own.items() if callable(part)}
        self._jinja.filters |= {"kind": Kind, "sum": do_sum}
        self._template = cache(self._template_of)

    def _template_of(self, sentence: str) -> Any:
        template = self._jinja.from_string(sentence)
        template.globals = self._known  # Jinja's own is a chain of maps: half of a sentence's time
        return template

    def say(self, name: str, fields: Mapping[str, Any]) -> str:
        """The sentence of that name. Raises KeyError where there is none."""
        sentence = self.sentences[name]
        if not isinstance(sentence, str):
            chosen = next(value for value in fields.values() if isinstance(value, int))
            listed = isinstance(sentence, list)
            sentence = sentence[chosen] if listed else sentence.get(chosen) or sentence["other"]
        return self._template(sentence).render(fields)

    def gender(self, kind: Kind) -> int:
        noun = kind.shape or "object"
        return next((at for at, nouns in enumerate(self.genders, 1) if noun in nouns), 0)

    def agree(self, word: str, kind: Kind, form: int = 0) -> str:
        """The form of an adjective, an article or a verb that goes with the kind."""
        genders = word.split("|")
        return self.form(genders[min(self.gender(kind), len(genders) - 1)], form)

    def form(self, word: str, form: int) -> str:
        forms = word.split()
        return forms[min(form, len(forms) - 1)]

    def adjective(self, quality: Colour | Size, kind: Kind, form: int = 0) -> str:
        return self.agree(self.adjectives[quality], kind, form)

    def parts(self, kind: Kind, form: int = 0, adjective_form: int | None = None) -> list[str]:
        """Noun and adjectives in order; the adjectives in the noun's form if none is given."""
        other_form = form if adjective_form is None else adjective_form
        parts = {"noun": self.form(self.nouns[kind.shape or "object"], form)}
        if kind.size is not None:
            parts["size"] = self.adjective(kind.size, kind, other_form)
        if kind.colour is not None:
            parts["colour"] = self.adjective(kind.colour, kind, other_form)
        return [parts[part] for part in self.order if part in parts]

    def name(self, kind: Kind, form: int = 0, adjective_form: int | None = None) -> str:
        return self.gap.join(self.parts(kind, form, adjective_form))

    def number(self, count: int, kind: Kind) -> str:
        return self.agree(self.numbers[count], kind)

    def counted(self, count: int, kind: Kind) -> str:
        """The number and the things."""
        form = self.forms.get("plural", 0) if count > 1 else 0
        return f"{self.number(count, kind)}{self.gap}{self.name(kind, form)}"

    def item(self, count: int, kind: Kind) -> str:
        """A member of a list, where a single thing needs no number."""
        return self.name(kind) if count == 1 else self.counted(count, kind)

    def listed(self, groups: tuple[Group, ...], said: str = "counted") -> str:
        """`joins` are as in CLDR's list patterns, with their spaces."""
        *first, last = [getattr(self, said)(group.count, group.kind) for group in groups]
        if not first:
            return last
        end = self.joins["two" if len(first) == 1 else "end"]
        return f"{self.joins['middle'].join(first)}{end}{last}"


class English(Grammar):
    def a(self, kind: Kind) -> str:
        """`a big red circle`, `an orange star`"""
        name = self.name(kind)
        return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"

    def item(self, count: int, kind: Kind) -> str:
        return self.a(kind) if count == 1 else self.counted(count, kind)


class Chinese(Grammar):
    """The counter hangs on the noun."""

    def name(self, kind: Kind, form: int = 0, adjective_form: int | None = None) -> str:
        """The thing without a number: 红色圆形, 小圆形, 红色的小圆形."""
        colour = self.adjectives[kind.colour] if kind.colour else ""
        link = "的" if kind.colour and kind.size else ""
        size = self.adjectives[kind.size] if kind.size else ""
        return f"{colour}{link}{size}{self.nouns[kind.shape or 'object']}"

    def counter(self, kind: Kind) -> str:
        """Small, star-like things are counted with 颗, everything else with 个."""
        return "颗" if kind.shape in (Shape.STAR, Shape.HEART) else "个"

    def number(self, count: int, kind: Kind) -> str:
        return f"{self.numbers[count]}{self.counter(kind)}"


class Romance(Grammar):
    """Spanish; French has other articles. The masculine one contracts with `de`."""

    articles, contracted = "el | la", {"el": "del"}

    def elided(self, words: str, phrase: str) -> str:
        return f"{words} {phrase}"

    def the(self, kind: Kind) -> str:
        return self.elided(self.agree(self.articles, kind), self.name(kind))

    def of_the(self, kind: Kind) -> str:
        whole = self.the(kind)
        article, _, phrase = whole.partition(" ")
        joined = self.contracted.get(article)
        return f"{joined} {phrase}" if joined else f"de {whole}"


class French(Romance):
    articles, contracted = "le | la", {"le": "du"}

    def elided(self, words: str, phrase: str) -> str:
        """`le`, `la` and `de` lose their vowel before some words (étoile, objet)."""
        return f"{words[0]}'{phrase}" if phrase[0] in "éo" else f"{words} {phrase}"


class Russian(Grammar):
    """After 2, 3 and 4 the noun stands in the genitive singular; its adjectives stand in the
    genitive plural, with feminine nouns in the nominative plural ("два красных круга", "две красные
    звезды"). From 5 on all of it is genitive plural."""

    def agree(self, word: str, kind: Kind, form: int = 0) -> str:
        """Of adjectives (`красн- ый ая ...`) there are a stem and the endings of eight forms; the
        genitive and the prepositional plural are alike."""
        stem, dash, rest = word.partition("- ")
        if not dash:
            return super().agree(word, kind, form)
        masculine, feminine, neuter, her_accusative, genitive, her_genitive, plural, oblique = (
            rest.split()
        )
        singular = (
            (masculine, masculine, genitive),
            (feminine, her_accusative, her_genitive),
            (neuter, neuter, genitive),
        )[self.gender(kind)]
        return stem + (*singular, oblique, oblique, plural)[form]

    def about(self, kind: Kind) -> str:
        phrase = self.name(kind, self.forms["prepositional_plural"])
        return f"об {phrase}" if phrase[0] == "о" else f"о {phrase}"

    def counted(self, count: int, kind: Kind) -> str:
        genitive, plural = self.forms["genitive"], self.forms["genitive_plural"]
        if count == 1:
            things = self.name(kind)
        elif count > 4:
            things = self.name(kind, plural)
        else:
            feminine = self.gender(kind) == 1
            things = self.name(kind, genitive, self.forms["plural"] if feminine else plural)
        return f"{self.number(count, kind)} {things}"


class Arabic(Grammar):
    def the(self, kind: Kind, form: int = 0) -> str:
        return " ".join(f"ال{word}" for word in self.parts(kind, form))

    def counted(self, count: int, kind: Kind, oblique: bool = False) -> str:
        """The number and the things, 1 to 6; the dual is its own number."""
        if count == 1:
            return f"{self.name(kind)} {self.number(count, kind)}"
        if count == 2:
            words = self.parts(kind, self.forms["dual"])
            return " ".join(f"{word.removesuffix('ان')}ين" if oblique else word for word in words)
        return f"{self.number(count, kind)} {self.name(kind, self.forms['plural'])}"


class Japanese(Grammar):
    def counted(self, count: int, kind: Kind) -> str:
        """Noun and number as subject: 赤い円が二つ."""
        return f"{self.name(kind)}が{self.number(count, kind)}"


_OWN: dict[str, type[Grammar]] = {
    "en": English, "zh": Chinese, "fr": French, "es": Romance, "ru": Russian, "ar": Arabic,
    "ja": Japanese,
}  # fmt: skip


@cache
def grammar_of(lang: str) -> Grammar:
    return _OWN.get(lang, Grammar)(Language(lang))


def say_turn(messages: tuple[Message, ...], lang: str) -> str:
    """Say a whole turn: sentences in a row, a list on lines of its own."""
    gap, text = grammar_of(lang).gap, ""
    for number, message in enumerate(messages):
        if number:
            beside_list = isinstance(message, SayList) or isinstance(messages[number - 1], SayList)
            text += "\n" if beside_list else gap
        text += say(message, lang)
    return text


@lru_cache(maxsize=65536)
def say(message: Message, lang: str) -> str:
    """One message as a sentence, or as a list. Raises TypeError for what has no sentence."""
    grammar, name = grammar_of(lang), type(message).__name__
    if name not in grammar.sentences:
        raise TypeError(f"Nothing in '{lang}' says {message!r}")
    if isinstance(message, SayList):
        return "\n".join(f"- {grammar.say(name, vars(group))}" for group in message.groups)
    text = grammar.say(name, vars(message))
    return text[0].upper() + text[1:]
