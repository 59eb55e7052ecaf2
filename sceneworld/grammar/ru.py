"""Russian: cases, three genders, and the nouns that numerals govern.

After 2, 3 and 4 the noun stands in the genitive singular; its adjectives stand in the genitive
plural, with feminine nouns in the nominative plural ("два красных круга", "две красные звезды").
From 5 on all of it is genitive plural. The letter "ё" is always written.
"""

from sceneworld import messages as m
from sceneworld.grammar import Sentences, joined
from sceneworld.grammar.lexicon import Gender, Lexicon, Noun
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

# Cases and numbers that the sentences need; all nouns are inanimate. PLURAL is of adjectives alone.
NOMINATIVE, ACCUSATIVE, GENITIVE, GENITIVE_PLURAL, PREPOSITIONAL_PLURAL, PLURAL = range(6)


def adjective(stem: str, endings: str) -> str:
    """Its forms for three genders; the genitive and the prepositional plural are alike."""
    forms = [stem + ending for ending in endings.split()]
    masculine, feminine, neuter, her_accusative, genitive, her_genitive, plural, oblique = forms
    plurals = f"{oblique} {oblique} {plural}"
    return (
        f"{masculine} {masculine} {genitive} {plurals} | "
        f"{feminine} {her_accusative} {her_genitive} {plurals} | "
        f"{neuter} {neuter} {genitive} {plurals}"
    )


HARD = "ый ая ое ую ого ой ые ых"
LEXICON = Lexicon(
    nouns={
        None: Noun("объект объект объекта объектов объектах"),
        Shape.CIRCLE: Noun("круг круг круга кругов кругах"),
        Shape.SQUARE: Noun("квадрат квадрат квадрата квадратов квадратах"),
        Shape.TRIANGLE: Noun("треугольник треугольник треугольника треугольников треугольниках"),
        Shape.STAR: Noun("звезда звезду звезды звёзд звёздах", Gender.FEMININE),
        Shape.HEART: Noun("сердце сердце сердца сердец сердцах", Gender.NEUTER),
        Shape.CROSS: Noun("крест крест креста крестов крестах"),
    },
    colours={
        Colour.RED: adjective("красн", HARD),
        Colour.BLUE: adjective("син", "ий яя ее юю его ей ие их"),
        Colour.GREEN: adjective("зелён", HARD),
        Colour.YELLOW: adjective("жёлт", HARD),
        Colour.ORANGE: adjective("оранжев", HARD),
        Colour.PURPLE: adjective("фиолетов", HARD),
        Colour.BLACK: adjective("чёрн", HARD),
    },
    sizes={
        Size.SMALL: adjective("маленьк", "ий ая ое ую ого ой ие их"),
        Size.BIG: adjective("больш", "ой ая ое ую ого ой ие их"),
    },
)
ONE = adjective("од", "ин на но ну ного ной ни них")
NUMBERS = {2: "два | две | два", 3: "три", 4: "четыре", 5: "пять", 6: "шесть"}
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
name, agree, colour_of, size_of = LEXICON.phrase, LEXICON.agree, LEXICON.colour, LEXICON.size


def of(kind: Kind) -> str:
    return name(kind, GENITIVE)


def many(kind: Kind) -> str:
    return name(kind, GENITIVE_PLURAL)


def few(kind: Kind) -> str:
    """The things after 2, 3 and 4."""
    feminine = LEXICON.gender(kind) is Gender.FEMININE
    return name(kind, GENITIVE, PLURAL if feminine else GENITIVE_PLURAL)


def about(kind: Kind) -> str:
    phrase = name(kind, PREPOSITIONAL_PLURAL)
    return f"об {phrase}" if phrase[0] == "о" else f"о {phrase}"


def number(count: int, kind: Kind) -> str:
    if count == 0:
        return f"ни {agree(ONE, kind, GENITIVE)}"
    return agree(ONE if count == 1 else NUMBERS[count], kind)


def counted(count: int, kind: Kind) -> str:
    """The number and the things; 0 is "ни одной красной звезды" (with "не")."""
    things = (of, name, few, few, few, many, many)[count]
    return f"{number(count, kind)} {things(kind)}"


def item(count: int, kind: Kind) -> str:
    """A line of a list, where a single thing needs no number."""
    return name(kind) if count == 1 else counted(count, kind)


def listed(groups: tuple[Group, ...]) -> str:
    return joined([counted(group.count, group.kind) for group in groups], ", ", " и ")


def ask_size(kind: Kind) -> str:
    return f"{name(kind)} {size_of(Size.BIG, kind)} или {size_of(Size.SMALL, kind)}?"


def ask_left(kind: Kind) -> str:
    removed = f"{agree(ONE, kind, ACCUSATIVE)} {name(kind, ACCUSATIVE)}"
    return f"Если убрать {removed}, сколько {many(kind)} останется?"


def say_more(group: Group, other: Group, more: bool) -> str:
    start, verdict = ("Да", "больше") if more else ("Нет", "не больше")
    compared = f"{many(group.kind)} {verdict}, чем {many(other.kind)}"
    return f"{start}, {compared}: {listed((group, other))}."


def say_left(kind: Kind, before: int) -> str:
    verb = "останется" if before > 1 else "не останется"
    return f"Здесь {counted(before, kind)}, значит, {verb} {counted(before - 1, kind)}."


SENTENCES: Sentences = {
    m.AskColour: lambda kind: f"Какого цвета {name(kind)}?",
    m.AskShape: lambda kind: f"Какой формы {name(kind)}?",
    m.AskSize: ask_size,
    m.AskCount: lambda kind: f"Сколько здесь {many(kind)}?",
    m.AskRegion: lambda kind: f"Где находится {name(kind)}?",
    m.AskExists: lambda kind: f"Есть ли на картинке {name(kind)}?",
    m.AskSide: lambda kind, side, other: f"Находится ли {name(kind)} {SIDES[side]} {of(other)}?",
    m.AskList: ("Что вы видите на картинке?", "Перечислите все объекты на картинке."),
    m.AskDetail: (
        "Опишите следующее изображение.",
        "Дайте подробное описание картинки.",
        "Что показано на этом изображении?",
        "Не могли бы вы подробно описать картинку?",
    ),
    m.AskMore: lambda kind, other: f"{many(kind)} больше, чем {many(other)}?",
    m.AskLeft: ask_left,
    m.AskBox: lambda kind: f"Укажите ограничивающую рамку {of(kind)}.",
    m.AskWidth: lambda kind: f"Какова ширина {of(kind)}?",
    m.AskLink: lambda kind: f"Где можно подробнее прочитать {about(kind)}?",
    m.ShortColour: lambda colour, kind: f"{colour_of(colour, kind)}.",
    m.ShortShape: lambda shape: f"{name(Kind(shape))}.",
    m.ShortSize: lambda size, kind: f"{size_of(size, kind)}.",
    m.ShortCount: lambda count, kind: f"{number(count, kind)}.",
    m.ShortRegion: lambda region: f"{REGIONS[region]}.",
    m.Yes: "Да.",
    m.No: "Нет.",
    m.SayColour: lambda kind, colour: f"{name(kind)} {colour_of(colour, kind)}.",
    m.SayShape: lambda kind, shape: f"{name(kind)} — это {name(Kind(shape))}.",
    m.SaySize: lambda kind, size: f"{name(kind)} {size_of(size, kind)}.",
    m.SayThere: lambda groups: f"На картинке {listed(groups)}.",
    m.SayNone: lambda kind: f"На картинке нет {many(kind)}.",
    m.SayTotal: lambda count: f"Всего на картинке {counted(count, Kind())}.",
    m.SayRegion: lambda kind, region: f"{name(kind)} находится {REGIONS[region]}.",
    m.SaySide: lambda kind, side, other: f"{name(kind)} находится {SIDES[side]} {of(other)}.",
    m.SayBackground: "Фон белый, и больше ничего не видно.",
    m.SayMore: say_more,
    m.SayLeft: say_left,
    m.SayBox: lambda kind, box: f"{name(kind)} находится в рамке {box}.",
    m.SayWidth: lambda kind, width_px: f"Ширина {of(kind)} — {width_px} px.",
    m.SayLink: lambda kind, url: f"Подробнее {about(kind)} можно прочитать по адресу {url} .",
    m.SayList: item,
}
