"""Exact Chinese sentences where the grammar is hard."""

import pytest

from sceneworld.grammar.zh import say
from sceneworld.messages import (
    AskBox,
    AskColour,
    AskCount,
    AskExists,
    AskLeft,
    AskLink,
    AskMore,
    AskRegion,
    AskShape,
    AskSide,
    AskSize,
    AskWidth,
    Colour,
    Group,
    Kind,
    Message,
    Region,
    SayBox,
    SayColour,
    SayLeft,
    SayLink,
    SayList,
    SayMore,
    SayNone,
    SayShape,
    SaySide,
    SaySize,
    SayThere,
    SayTotal,
    SayWidth,
    Shape,
    ShortColour,
    ShortCount,
    ShortRegion,
    ShortShape,
    ShortSize,
    Side,
    Size,
)

CIRCLE = Kind(Shape.CIRCLE)
SQUARE = Kind(Shape.SQUARE)
STAR = Kind(Shape.STAR)
RED_CIRCLE = Kind(Shape.CIRCLE, Colour.RED)
BLUE_SQUARE = Kind(Shape.SQUARE, Colour.BLUE)
BLUE_TRIANGLE = Kind(Shape.TRIANGLE, Colour.BLUE)
BIG_YELLOW_STAR = Kind(Shape.STAR, Colour.YELLOW, Size.BIG)
SMALL_BLACK_HEART = Kind(Shape.HEART, Colour.BLACK, Size.SMALL)
GREEN_CROSS = Kind(Shape.CROSS, Colour.GREEN)
SMALL_TRIANGLE = Kind(Shape.TRIANGLE, size=Size.SMALL)
BLUE_OBJECT = Kind(colour=Colour.BLUE)
OBJECT = Kind()

GOLDEN = [
    (AskColour(SMALL_TRIANGLE), "小三角形是什么颜色的？"),
    (AskColour(STAR), "星星是什么颜色的？"),
    (AskShape(BLUE_OBJECT), "蓝色物体是什么形状？"),
    (AskSize(RED_CIRCLE), "红色圆形是大的还是小的？"),
    (AskSize(BLUE_OBJECT), "蓝色物体是大的还是小的？"),
    (AskCount(RED_CIRCLE), "有几个红色圆形？"),
    (AskCount(BIG_YELLOW_STAR), "有几颗黄色的大星星？"),
    (AskCount(BLUE_OBJECT), "有几个蓝色物体？"),
    (AskRegion(BIG_YELLOW_STAR), "黄色的大星星在哪里？"),
    (AskExists(SMALL_BLACK_HEART), "图片里是不是有黑色的小爱心？"),
    (AskSide(RED_CIRCLE, Side.LEFT, BLUE_SQUARE), "红色圆形是不是在蓝色正方形左边？"),
    (
        AskSide(SMALL_BLACK_HEART, Side.ABOVE, BIG_YELLOW_STAR),
        "黑色的小爱心是不是在黄色的大星星上方？",
    ),
    (AskMore(CIRCLE, SQUARE), "圆形是不是比正方形多？"),
    (AskMore(BIG_YELLOW_STAR, BLUE_TRIANGLE), "黄色的大星星是不是比蓝色三角形多？"),
    (AskLeft(BIG_YELLOW_STAR), "如果拿走一颗黄色的大星星，还剩几颗黄色的大星星？"),
    (AskLeft(BLUE_OBJECT), "如果拿走一个蓝色物体，还剩几个蓝色物体？"),
    (AskBox(BIG_YELLOW_STAR), "请给出黄色的大星星的边界框。"),
    (AskWidth(BLUE_TRIANGLE), "蓝色三角形有多宽？"),
    (AskLink(STAR), "在哪里可以读到更多关于星星的内容？"),
    (ShortColour(Colour.BLUE, BLUE_TRIANGLE), "蓝色。"),
    (ShortShape(Shape.HEART), "爱心。"),
    (ShortSize(Size.BIG, BLUE_OBJECT), "大的。"),
    (ShortCount(2, CIRCLE), "两个。"),
    (ShortCount(2, STAR), "两颗。"),
    (ShortCount(0, STAR), "一颗也没有。"),
    (ShortRegion(Region.BOTTOM_RIGHT), "在右下角。"),
    (SayColour(SMALL_TRIANGLE, Colour.BLUE), "小三角形是蓝色的。"),
    (SayShape(BLUE_OBJECT, Shape.STAR), "蓝色物体是一颗星星。"),
    (SaySize(GREEN_CROSS, Size.SMALL), "绿色十字是小的。"),
    (SayThere((Group(1, OBJECT),)), "图片里有一个物体。"),
    (SayThere((Group(1, RED_CIRCLE), Group(2, STAR))), "图片里有一个红色圆形和两颗星星。"),
    (
        SayThere((Group(2, BLUE_TRIANGLE), Group(1, GREEN_CROSS), Group(6, SMALL_BLACK_HEART))),
        "图片里有两个蓝色三角形、一个绿色十字和六颗黑色的小爱心。",
    ),
    (SayNone(BLUE_TRIANGLE), "图片里没有蓝色三角形。"),
    (SayTotal(1), "图片里一共有一个物体。"),
    (SayTotal(5), "图片里一共有五个物体。"),
    (SaySide(RED_CIRCLE, Side.RIGHT, BIG_YELLOW_STAR), "红色圆形在黄色的大星星右边。"),
    (
        SayMore(Group(3, CIRCLE), Group(1, SQUARE), True),
        "是的，圆形比正方形多：三个圆形和一个正方形。",
    ),
    (
        SayMore(Group(1, STAR), Group(4, BLUE_TRIANGLE), False),
        "不是，星星不比蓝色三角形多：一颗星星和四个蓝色三角形。",
    ),
    (SayLeft(BLUE_TRIANGLE, 3), "有三个蓝色三角形，所以还剩两个蓝色三角形。"),
    (SayLeft(RED_CIRCLE, 2), "有两个红色圆形，所以还剩一个红色圆形。"),
    (SayLeft(STAR, 1), "有一颗星星，所以一颗星星也不剩了。"),
    (
        SayBox(GREEN_CROSS, "[0.25, 0.00, 0.50, 0.25]"),
        "绿色十字位于框 [0.25, 0.00, 0.50, 0.25] 内。",
    ),
    (SayWidth(BLUE_TRIANGLE, 48), "蓝色三角形宽 48 px。"),
    (
        SayLink(CIRCLE, "https://example.org/circle"),
        "你可以在这里读到更多关于圆形的内容： https://example.org/circle 。",
    ),
    (SayList((Group(1, RED_CIRCLE), Group(2, BLUE_TRIANGLE))), "- 一个红色圆形\n- 两个蓝色三角形"),
]


@pytest.mark.parametrize(("message", "text"), GOLDEN)
def test_chinese_sentence_is_exact(message: Message, text: str) -> None:
    assert say(message) == text
