"""Russian sentences, exact: proof-read, so a change here needs a reason."""

import pytest

from sceneworld import messages as m
from sceneworld.grammar.ru import say
from sceneworld.messages import Colour, Group, Kind, Message, Region, Shape, Side, Size

THING = Kind()
RED_THING = Kind(colour=Colour.RED)
BIG_ORANGE_THING = Kind(None, Colour.ORANGE, Size.BIG)
CIRCLE = Kind(Shape.CIRCLE)
SMALL_CIRCLE = Kind(Shape.CIRCLE, size=Size.SMALL)
RED_CIRCLE = Kind(Shape.CIRCLE, Colour.RED)
SQUARE = Kind(Shape.SQUARE)
BIG_GREEN_SQUARE = Kind(Shape.SQUARE, Colour.GREEN, Size.BIG)
STAR = Kind(Shape.STAR)
BLUE_STAR = Kind(Shape.STAR, Colour.BLUE)
SMALL_PURPLE_STAR = Kind(Shape.STAR, Colour.PURPLE, Size.SMALL)
BIG_ORANGE_HEART = Kind(Shape.HEART, Colour.ORANGE, Size.BIG)
BLACK_CROSS = Kind(Shape.CROSS, Colour.BLACK)
BOX = "[0.25, 0.00, 0.50, 0.25]"
URL = "https://example.org/shapes/star"

SENTENCES: list[tuple[Message, str]] = [
    (m.AskColour(SMALL_CIRCLE), "Какого цвета маленький круг?"),
    (m.AskShape(RED_THING), "Какой формы красный объект?"),
    (m.AskShape(BIG_ORANGE_THING), "Какой формы большой оранжевый объект?"),
    (m.AskSize(RED_CIRCLE), "Красный круг большой или маленький?"),
    (m.AskSize(BLUE_STAR), "Синяя звезда большая или маленькая?"),
    (m.AskCount(SMALL_PURPLE_STAR), "Сколько здесь маленьких фиолетовых звёзд?"),
    (m.AskCount(BIG_ORANGE_HEART), "Сколько здесь больших оранжевых сердец?"),
    (m.AskCount(BLACK_CROSS), "Сколько здесь чёрных крестов?"),
    (m.AskCount(THING), "Сколько здесь объектов?"),
    (m.AskRegion(SMALL_PURPLE_STAR), "Где находится маленькая фиолетовая звезда?"),
    (m.AskExists(BIG_ORANGE_HEART), "Есть ли на картинке большое оранжевое сердце?"),
    (m.AskExists(SMALL_PURPLE_STAR), "Есть ли на картинке маленькая фиолетовая звезда?"),
    (
        m.AskSide(RED_CIRCLE, Side.LEFT, BIG_GREEN_SQUARE),
        "Находится ли красный круг слева от большого зелёного квадрата?",
    ),
    (
        m.AskSide(BLUE_STAR, Side.RIGHT, BLACK_CROSS),
        "Находится ли синяя звезда справа от чёрного креста?",
    ),
    (
        m.AskSide(BLACK_CROSS, Side.BELOW, RED_THING),
        "Находится ли чёрный крест ниже красного объекта?",
    ),
    (m.AskList(0), "Что вы видите на картинке?"),
    (m.AskList(1), "Перечислите все объекты на картинке."),
    (m.AskDetail(0), "Опишите следующее изображение."),
    (m.AskDetail(3), "Не могли бы вы подробно описать картинку?"),
    (m.AskMore(CIRCLE, STAR), "Кругов больше, чем звёзд?"),
    (m.AskLeft(BLUE_STAR), "Если убрать одну синюю звезду, сколько синих звёзд останется?"),
    (
        m.AskLeft(BIG_ORANGE_HEART),
        "Если убрать одно большое оранжевое сердце, сколько больших оранжевых сердец останется?",
    ),
    (m.AskBox(SMALL_PURPLE_STAR), "Укажите ограничивающую рамку маленькой фиолетовой звезды."),
    (m.AskWidth(BIG_ORANGE_THING), "Какова ширина большого оранжевого объекта?"),
    (m.AskLink(BIG_ORANGE_THING), "Где можно подробнее прочитать о больших оранжевых объектах?"),
    (m.AskLink(THING), "Где можно подробнее прочитать об объектах?"),
    (m.ShortColour(Colour.GREEN, BLUE_STAR), "Зелёная."),
    (m.ShortColour(Colour.BLUE, BIG_ORANGE_HEART), "Синее."),
    (m.ShortShape(Shape.STAR), "Звезда."),
    (m.ShortSize(Size.SMALL, BLUE_STAR), "Маленькая."),
    (m.ShortCount(0, RED_CIRCLE), "Ни одного."),
    (m.ShortCount(0, BLUE_STAR), "Ни одной."),
    (m.ShortCount(1, RED_CIRCLE), "Один."),
    (m.ShortCount(1, BLUE_STAR), "Одна."),
    (m.ShortCount(1, BIG_ORANGE_HEART), "Одно."),
    (m.ShortCount(2, RED_CIRCLE), "Два."),
    (m.ShortCount(2, BLUE_STAR), "Две."),
    (m.ShortCount(5, BIG_ORANGE_HEART), "Пять."),
    (m.ShortRegion(Region.TOP_LEFT), "В левом верхнем углу."),
    (m.SayColour(Kind(Shape.STAR, size=Size.SMALL), Colour.PURPLE), "Маленькая звезда фиолетовая."),
    (m.SayShape(RED_THING, Shape.STAR), "Красный объект — это звезда."),
    (m.SaySize(BLUE_STAR, Size.BIG), "Синяя звезда большая."),
    (m.SayThere((Group(1, BLUE_STAR),)), "На картинке одна синяя звезда."),
    (m.SayThere((Group(2, RED_CIRCLE),)), "На картинке два красных круга."),
    (m.SayThere((Group(2, BLUE_STAR),)), "На картинке две синие звезды."),
    (m.SayThere((Group(3, SMALL_PURPLE_STAR),)), "На картинке три маленькие фиолетовые звезды."),
    (m.SayThere((Group(4, BLACK_CROSS),)), "На картинке четыре чёрных креста."),
    (m.SayThere((Group(5, RED_CIRCLE),)), "На картинке пять красных кругов."),
    (
        m.SayThere((Group(6, BLUE_STAR), Group(2, BIG_ORANGE_HEART))),
        "На картинке шесть синих звёзд и два больших оранжевых сердца.",
    ),
    (
        m.SayThere((Group(1, RED_CIRCLE), Group(2, BLUE_STAR), Group(3, BIG_ORANGE_HEART))),
        "На картинке один красный круг, две синие звезды и три больших оранжевых сердца.",
    ),
    (m.SayNone(SMALL_PURPLE_STAR), "На картинке нет маленьких фиолетовых звёзд."),
    (m.SayTotal(1), "Всего на картинке один объект."),
    (m.SayTotal(2), "Всего на картинке два объекта."),
    (m.SayTotal(5), "Всего на картинке пять объектов."),
    (m.SayRegion(BLUE_STAR, Region.BOTTOM_RIGHT), "Синяя звезда находится в правом нижнем углу."),
    (
        m.SaySide(BLUE_STAR, Side.ABOVE, BIG_GREEN_SQUARE),
        "Синяя звезда находится выше большого зелёного квадрата.",
    ),
    (m.SayBackground(), "Фон белый, и больше ничего не видно."),
    (
        m.SayMore(Group(3, CIRCLE), Group(1, SQUARE), True),
        "Да, кругов больше, чем квадратов: три круга и один квадрат.",
    ),
    (
        m.SayMore(Group(1, STAR), Group(2, SQUARE), False),
        "Нет, звёзд не больше, чем квадратов: одна звезда и два квадрата.",
    ),
    (
        m.SayLeft(BLUE_STAR, 1),
        "Здесь одна синяя звезда, значит, не останется ни одной синей звезды.",
    ),
    (m.SayLeft(RED_CIRCLE, 2), "Здесь два красных круга, значит, останется один красный круг."),
    (m.SayLeft(RED_CIRCLE, 3), "Здесь три красных круга, значит, останется два красных круга."),
    (
        m.SayLeft(BLACK_CROSS, 6),
        "Здесь шесть чёрных крестов, значит, останется пять чёрных крестов.",
    ),
    (m.SayBox(RED_CIRCLE, BOX), "Красный круг находится в рамке [0.25, 0.00, 0.50, 0.25]."),
    (m.SayWidth(BLUE_STAR, 48), "Ширина синей звезды — 48 px."),
    (
        m.SayLink(STAR, URL),
        "Подробнее о звёздах можно прочитать по адресу https://example.org/shapes/star .",
    ),
    (
        m.SayList((Group(1, RED_CIRCLE), Group(2, SMALL_PURPLE_STAR), Group(5, BLACK_CROSS))),
        "- красный круг\n- две маленькие фиолетовые звезды\n- пять чёрных крестов",
    ),
]


@pytest.mark.parametrize(("message", "text"), SENTENCES)
def test_russian_sentence_is_exact(message: Message, text: str) -> None:
    assert say(message) == text
