"""Exact Japanese sentences where the grammar is hard."""

import pytest

from sceneworld.grammar.ja import say
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
    (AskColour(SMALL_TRIANGLE), "小さな三角形は何色ですか？"),
    (AskColour(STAR), "星は何色ですか？"),
    (AskShape(BLUE_OBJECT), "青い物体は何の形ですか？"),
    (AskSize(RED_CIRCLE), "赤い円は大きいですか、それとも小さいですか？"),
    (AskSize(BLUE_OBJECT), "青い物体は大きいですか、それとも小さいですか？"),
    (AskCount(RED_CIRCLE), "赤い円はいくつありますか？"),
    (AskCount(BIG_YELLOW_STAR), "大きな黄色い星はいくつありますか？"),
    (AskCount(BLUE_OBJECT), "青い物体はいくつありますか？"),
    (AskRegion(BIG_YELLOW_STAR), "大きな黄色い星はどこにありますか？"),
    (AskExists(SMALL_BLACK_HEART), "画像に小さな黒いハートはありますか？"),
    (AskSide(RED_CIRCLE, Side.LEFT, BLUE_SQUARE), "赤い円は青い正方形の左にありますか？"),
    (
        AskSide(SMALL_BLACK_HEART, Side.ABOVE, BIG_YELLOW_STAR),
        "小さな黒いハートは大きな黄色い星の上にありますか？",
    ),
    (AskMore(CIRCLE, SQUARE), "円のほうが正方形より多いですか？"),
    (AskMore(BIG_YELLOW_STAR, BLUE_TRIANGLE), "大きな黄色い星のほうが青い三角形より多いですか？"),
    (
        AskLeft(BIG_YELLOW_STAR),
        "大きな黄色い星を一つ取り除くと、大きな黄色い星はいくつ残りますか？",
    ),
    (AskLeft(BLUE_OBJECT), "青い物体を一つ取り除くと、青い物体はいくつ残りますか？"),
    (AskBox(BIG_YELLOW_STAR), "大きな黄色い星のバウンディングボックスを示してください。"),
    (AskWidth(BLUE_TRIANGLE), "青い三角形の幅はどのくらいですか？"),
    (AskLink(STAR), "星については、どこでさらに詳しく読むことができますか？"),
    (ShortColour(Colour.BLUE, BLUE_TRIANGLE), "青です。"),
    (ShortShape(Shape.HEART), "ハートです。"),
    (ShortSize(Size.BIG, BLUE_OBJECT), "大きいです。"),
    (ShortCount(2, CIRCLE), "二つです。"),
    (ShortCount(2, STAR), "二つです。"),
    (ShortCount(0, STAR), "一つもありません。"),
    (ShortRegion(Region.BOTTOM_RIGHT), "右下の隅です。"),
    (SayColour(SMALL_TRIANGLE, Colour.BLUE), "小さな三角形は青です。"),
    (SayShape(BLUE_OBJECT, Shape.STAR), "青い物体は星です。"),
    (SaySize(GREEN_CROSS, Size.SMALL), "緑の十字は小さいです。"),
    (SayThere((Group(1, OBJECT),)), "画像には物体が一つあります。"),
    (SayThere((Group(1, RED_CIRCLE), Group(2, STAR))), "画像には赤い円が一つと星が二つあります。"),
    (
        SayThere((Group(2, BLUE_TRIANGLE), Group(1, GREEN_CROSS), Group(6, SMALL_BLACK_HEART))),
        "画像には青い三角形が二つ、緑の十字が一つ、小さな黒いハートが六つあります。",
    ),
    (SayNone(BLUE_TRIANGLE), "画像に青い三角形はありません。"),
    (SayTotal(1), "画像には物体が全部で一つあります。"),
    (SayTotal(5), "画像には物体が全部で五つあります。"),
    (SaySide(RED_CIRCLE, Side.RIGHT, BIG_YELLOW_STAR), "赤い円は大きな黄色い星の右にあります。"),
    (
        SayMore(Group(3, CIRCLE), Group(1, SQUARE), True),
        "はい、円が三つ、正方形が一つなので、円のほうが正方形より多いです。",
    ),
    (
        SayMore(Group(1, STAR), Group(4, BLUE_TRIANGLE), False),
        "いいえ、星が一つ、青い三角形が四つなので、星のほうが青い三角形より多いわけではありません。",
    ),
    (SayLeft(BLUE_TRIANGLE, 3), "青い三角形は三つなので、残る青い三角形は二つです。"),
    (SayLeft(RED_CIRCLE, 2), "赤い円は二つなので、残る赤い円は一つです。"),
    (SayLeft(STAR, 1), "星は一つなので、残る星はありません。"),
    (
        SayBox(GREEN_CROSS, "[0.25, 0.00, 0.50, 0.25]"),
        "緑の十字はボックス [0.25, 0.00, 0.50, 0.25] の中にあります。",
    ),
    (SayWidth(BLUE_TRIANGLE, 48), "青い三角形の幅は 48 px です。"),
    (
        SayLink(CIRCLE, "https://example.org/circle"),
        "円については、こちらでさらに詳しく読むことができます： https://example.org/circle 。",
    ),
    (
        SayList((Group(1, RED_CIRCLE), Group(2, BLUE_TRIANGLE))),
        "- 赤い円が一つ\n- 青い三角形が二つ",
    ),
]


@pytest.mark.parametrize(("message", "text"), GOLDEN)
def test_japanese_sentence_is_exact(message: Message, text: str) -> None:
    assert say(message) == text
