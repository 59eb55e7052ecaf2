"""Russian: cases, three genders, and the nouns that numerals govern.

After 2, 3 and 4 the noun stands in the genitive singular; its adjectives stand in the genitive
plural, with feminine nouns in the nominative plural ("два красных круга", "две красные звезды").
From 5 on all of it is genitive plural. The letter "ё" is always written.
"""

from dataclasses import dataclass
from enum import StrEnum

from sceneworld import messages as m
from sceneworld.messages import Colour, Group, Kind, Message, Region, Shape, Side, Size


class Gender(StrEnum):
    MASCULINE = "masculine"
    FEMININE = "feminine"
    NEUTER = "neuter"


class Form(StrEnum):
    """The cases and numbers that the sentences need; all nouns are inanimate."""

    NOMINATIVE = "nominative"
    ACCUSATIVE = "accusative"
    GENITIVE = "genitive"
    GENITIVE_PLURAL = "genitive plural"
    PREPOSITIONAL_PLURAL = "prepositional plural"


@dataclass(frozen=True)
class Noun:
    gender: Gender
    nominative: str
    accusative: str
    genitive: str
    genitive_plural: str
    prepositional_plural: str


@dataclass(frozen=True)
class Adjective:
    """`genitive` is masculine and neuter; `oblique_plural` is genitive and prepositional."""

    masculine: str
    feminine: str
    neuter: str
    feminine_accusative: str
    genitive: str
    feminine_genitive: str
    plural: str
    oblique_plural: str


def _adjective(stem: str, masculine: str = "ый", plural: str = "ы") -> Adjective:
    endings = (masculine, "ая", "ое", "ую", "ого", "ой", f"{plural}е", f"{plural}х")
    return Adjective(*(stem + ending for ending in endings))


MASCULINE, FEMININE, NEUTER = Gender.MASCULINE, Gender.FEMININE, Gender.NEUTER
NOUNS: dict[Shape | None, Noun] = {
    None: Noun(MASCULINE, "объект", "объект", "объекта", "объектов", "объектах"),
    Shape.CIRCLE: Noun(MASCULINE, "круг", "круг", "круга", "кругов", "кругах"),
    Shape.SQUARE: Noun(MASCULINE, "квадрат", "квадрат", "квадрата", "квадратов", "квадратах"),
    Shape.TRIANGLE: Noun(
        MASCULINE, "треугольник", "треугольник", "треугольника", "треугольников", "треугольниках"
    ),
    Shape.STAR: Noun(FEMININE, "звезда", "звезду", "звезды", "звёзд", "звёздах"),
    Shape.HEART: Noun(NEUTER, "сердце", "сердце", "сердца", "сердец", "сердцах"),
    Shape.CROSS: Noun(MASCULINE, "крест", "крест", "креста", "крестов", "крестах"),
}
COLOURS = {
    Colour.RED: _adjective("красн"),
    Colour.BLUE: Adjective("синий", "синяя", "синее", "синюю", "синего", "синей", "синие", "синих"),
    Colour.GREEN: _adjective("зелён"),
    Colour.YELLOW: _adjective("жёлт"),
    Colour.ORANGE: _adjective("оранжев"),
    Colour.PURPLE: _adjective("фиолетов"),
    Colour.BLACK: _adjective("чёрн"),
}
SIZES = {
    Size.SMALL: _adjective("маленьк", "ий", plural="и"),
    Size.BIG: _adjective("больш", "ой", plural="и"),
}
ONE = Adjective("один", "одна", "одно", "одну", "одного", "одной", "одни", "одних")
NUMBERS = {3: "три", 4: "четыре", 5: "пять", 6: "шесть"}
REGIONS = {
    Region.TOP_LEFT: "в левом верхнем углу",
    Region.TOP_RIGHT: "в правом верхнем углу",
    Region.BOTTOM_LEFT: "в левом нижнем углу",
    Region.BOTTOM_RIGHT: "в правом нижнем углу",
}
SIDES = {
    Side.LEFT: "слева от",
    Side.RIGHT: "справа от",
    Side.ABOVE: "выше",
    Side.BELOW: "ниже",
}
LIST_PROMPTS = ("Что вы видите на картинке?", "Перечислите все объекты на картинке.")
DETAIL_PROMPTS = (
    "Опишите следующее изображение.",
    "Дайте подробное описание картинки.",
    "Что показано на этом изображении?",
    "Не могли бы вы подробно описать картинку?",
)


def say(message: Message) -> str:
    """The message as one Russian sentence (or one list)."""
    text = _question(message) or _short_answer(message) or _sentence(message)
    if text is None:
        raise TypeError(f"Russian has no sentence for {message!r}")
    return text[0].upper() + text[1:]


def _question(message: Message) -> str | None:
    match message:
        case m.AskColour(kind):
            return f"какого цвета {noun_phrase(kind)}?"
        case m.AskShape(kind):
            return f"какой формы {noun_phrase(kind)}?"
        case m.AskSize(kind):
            big, small = agree(SIZES[Size.BIG], kind), agree(SIZES[Size.SMALL], kind)
            return f"{noun_phrase(kind)} {big} или {small}?"
        case m.AskCount(kind):
            return f"сколько здесь {many(kind)}?"
        case m.AskRegion(kind):
            return f"где находится {noun_phrase(kind)}?"
        case m.AskExists(kind):
            return f"есть ли на картинке {noun_phrase(kind)}?"
        case m.AskSide(kind, side, other):
            return f"находится ли {noun_phrase(kind)} {SIDES[side]} {of(other)}?"
        case m.AskList(variant):
            return LIST_PROMPTS[variant]
        case m.AskDetail(variant):
            return DETAIL_PROMPTS[variant]
        case m.AskMore(kind, other):
            return f"{many(kind)} больше, чем {many(other)}?"
        case m.AskLeft(kind):
            one = f"{agree(ONE, kind, Form.ACCUSATIVE)} {noun_phrase(kind, Form.ACCUSATIVE)}"
            return f"если убрать {one}, сколько {many(kind)} останется?"
        case m.AskBox(kind):
            return f"укажите ограничивающую рамку {of(kind)}."
        case m.AskWidth(kind):
            return f"какова ширина {of(kind)}?"
        case m.AskLink(kind):
            return f"где можно подробнее прочитать {about(kind)}?"
    return None


def _short_answer(message: Message) -> str | None:
    match message:
        case m.ShortColour(colour, kind):
            return f"{agree(COLOURS[colour], kind)}."
        case m.ShortShape(shape):
            return f"{noun_phrase(Kind(shape))}."
        case m.ShortSize(size, kind):
            return f"{agree(SIZES[size], kind)}."
        case m.ShortCount(count, kind):
            return f"{number(count, kind)}."
        case m.ShortRegion(region):
            return f"{REGIONS[region]}."
        case m.Yes():
            return "да."
        case m.No():
            return "нет."
    return None


def _sentence(message: Message) -> str | None:
    match message:
        case m.SayColour(kind, colour):
            return f"{noun_phrase(kind)} {agree(COLOURS[colour], kind)}."
        case m.SayShape(kind, shape):
            return f"{noun_phrase(kind)} — это {noun_phrase(Kind(shape))}."
        case m.SaySize(kind, size):
            return f"{noun_phrase(kind)} {agree(SIZES[size], kind)}."
        case m.SayThere(groups):
            return f"на картинке {enumeration(groups)}."
        case m.SayNone(kind):
            return f"на картинке нет {many(kind)}."
        case m.SayTotal(count):
            return f"всего на картинке {counted(count, Kind())}."
        case m.SayRegion(kind, region):
            return f"{noun_phrase(kind)} находится {REGIONS[region]}."
        case m.SaySide(kind, side, other):
            return f"{noun_phrase(kind)} находится {SIDES[side]} {of(other)}."
        case m.SayBackground():
            return "фон белый, и больше ничего не видно."
        case m.SayMore(group, other, more):
            start, verdict = ("да", "больше") if more else ("нет", "не больше")
            compared = f"{many(group.kind)} {verdict}, чем {many(other.kind)}"
            return f"{start}, {compared}: {enumeration((group, other))}."
        case m.SayLeft(kind, before):
            verb = "останется" if before > 1 else "не останется"
            left = counted(before - 1, kind)
            return f"здесь {counted(before, kind)}, значит, {verb} {left}."
        case m.SayBox(kind, box):
            return f"{noun_phrase(kind)} находится в рамке {box}."
        case m.SayWidth(kind, width_px):
            return f"ширина {of(kind)} — {width_px} px."
        case m.SayLink(kind, url):
            return f"подробнее {about(kind)} можно прочитать по адресу {url} ."
        case m.SayList(groups):
            return "\n".join(f"- {item(group)}" for group in groups)
    return None


def agree(adjective: Adjective, kind: Kind, form: Form = Form.NOMINATIVE) -> str:
    gender = NOUNS[kind.shape].gender
    match form, gender:
        case ((Form.GENITIVE_PLURAL | Form.PREPOSITIONAL_PLURAL), _):
            return adjective.oblique_plural
        case Form.GENITIVE, Gender.FEMININE:
            return adjective.feminine_genitive
        case Form.GENITIVE, _:
            return adjective.genitive
        case Form.ACCUSATIVE, Gender.FEMININE:
            return adjective.feminine_accusative
        case _, Gender.FEMININE:
            return adjective.feminine
        case _, Gender.NEUTER:
            return adjective.neuter
    return adjective.masculine


def adjectives(kind: Kind) -> list[Adjective]:
    """Size before colour, as they stand before the noun."""
    size = [SIZES[kind.size]] if kind.size is not None else []
    colour = [COLOURS[kind.colour]] if kind.colour is not None else []
    return size + colour


def noun_form(kind: Kind, form: Form) -> str:
    noun = NOUNS[kind.shape]
    forms = {
        Form.NOMINATIVE: noun.nominative,
        Form.ACCUSATIVE: noun.accusative,
        Form.GENITIVE: noun.genitive,
        Form.GENITIVE_PLURAL: noun.genitive_plural,
        Form.PREPOSITIONAL_PLURAL: noun.prepositional_plural,
    }
    return forms[form]


def noun_phrase(kind: Kind, form: Form = Form.NOMINATIVE) -> str:
    words = (agree(adjective, kind, form) for adjective in adjectives(kind))
    return " ".join((*words, noun_form(kind, form)))


def of(kind: Kind) -> str:
    return noun_phrase(kind, Form.GENITIVE)


def many(kind: Kind) -> str:
    return noun_phrase(kind, Form.GENITIVE_PLURAL)


def about(kind: Kind) -> str:
    phrase = noun_phrase(kind, Form.PREPOSITIONAL_PLURAL)
    return f"об {phrase}" if phrase[0] == "о" else f"о {phrase}"


def number(count: int, kind: Kind) -> str:
    if count == 0:
        return f"ни {agree(ONE, kind, Form.GENITIVE)}"
    if count == 1:
        return agree(ONE, kind)
    if count == 2:
        return "две" if NOUNS[kind.shape].gender is FEMININE else "два"
    return NUMBERS[count]


def counted(count: int, kind: Kind) -> str:
    """The number and the things; 0 is "ни одной красной звезды" (with "не")."""
    if count == 0:
        things = of(kind)
    elif count == 1:
        things = noun_phrase(kind)
    else:
        things = few(kind) if count < 5 else many(kind)
    return f"{number(count, kind)} {things}"


def few(kind: Kind) -> str:
    """The things after 2, 3 and 4."""
    feminine = NOUNS[kind.shape].gender is FEMININE
    words = (word.plural if feminine else word.oblique_plural for word in adjectives(kind))
    return " ".join((*words, noun_form(kind, Form.GENITIVE)))


def item(group: Group) -> str:
    """A line of a list, where a single thing needs no number."""
    return noun_phrase(group.kind) if group.count == 1 else counted(group.count, group.kind)


def enumeration(groups: tuple[Group, ...]) -> str:
    *first, last = [counted(group.count, group.kind) for group in groups]
    return f"{', '.join(first)} и {last}" if first else last
