"""Exact Urdu sentences where the grammar is hard."""

import pytest

from sceneworld.grammar.ur import say
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
    (AskColour(SMALL_TRIANGLE), "چھوٹی مثلث کس رنگ کی ہے؟"),
    (AskColour(STAR), "ستارہ کس رنگ کا ہے؟"),
    (AskShape(BLUE_OBJECT), "نیلی چیز کی شکل کیا ہے؟"),
    (AskSize(RED_CIRCLE), "سرخ دائرہ بڑا ہے یا چھوٹا؟"),
    (AskSize(BLUE_OBJECT), "نیلی چیز بڑی ہے یا چھوٹی؟"),
    (AskCount(RED_CIRCLE), "کتنے سرخ دائرے ہیں؟"),
    (AskCount(BIG_YELLOW_STAR), "کتنے بڑے پیلے ستارے ہیں؟"),
    (AskCount(BLUE_OBJECT), "کتنی نیلی چیزیں ہیں؟"),
    (AskRegion(BIG_YELLOW_STAR), "بڑا پیلا ستارہ کہاں ہے؟"),
    (AskExists(SMALL_BLACK_HEART), "کیا تصویر میں کوئی چھوٹا کالا دل ہے؟"),
    (AskSide(RED_CIRCLE, Side.LEFT, BLUE_SQUARE), "کیا سرخ دائرہ نیلے مربع کے بائیں طرف ہے؟"),
    (
        AskSide(SMALL_BLACK_HEART, Side.ABOVE, BIG_YELLOW_STAR),
        "کیا چھوٹا کالا دل بڑے پیلے ستارے کے اوپر ہے؟",
    ),
    (AskMore(CIRCLE, SQUARE), "کیا دائرے مربعوں سے زیادہ ہیں؟"),
    (AskMore(BIG_YELLOW_STAR, BLUE_TRIANGLE), "کیا بڑے پیلے ستارے نیلی مثلثوں سے زیادہ ہیں؟"),
    (
        AskLeft(BIG_YELLOW_STAR),
        "اگر ایک بڑا پیلا ستارہ ہٹا دیا جائے تو کتنے بڑے پیلے ستارے بچیں گے؟",
    ),
    (AskLeft(BLUE_OBJECT), "اگر ایک نیلی چیز ہٹا دی جائے تو کتنی نیلی چیزیں بچیں گی؟"),
    (AskBox(BIG_YELLOW_STAR), "بڑے پیلے ستارے کا باؤنڈنگ باکس بتائیے۔"),
    (AskWidth(BLUE_TRIANGLE), "نیلی مثلث کتنی چوڑی ہے؟"),
    (AskLink(STAR), "ستاروں کے بارے میں مزید کہاں پڑھا جا سکتا ہے؟"),
    (ShortColour(Colour.BLUE, BLUE_TRIANGLE), "نیلی۔"),
    (ShortShape(Shape.HEART), "ایک دل۔"),
    (ShortSize(Size.BIG, BLUE_OBJECT), "بڑی۔"),
    (ShortCount(2, CIRCLE), "دو۔"),
    (ShortCount(2, STAR), "دو۔"),
    (ShortCount(0, STAR), "ایک بھی نہیں۔"),
    (ShortRegion(Region.BOTTOM_RIGHT), "نچلے دائیں کونے میں۔"),
    (SayColour(SMALL_TRIANGLE, Colour.BLUE), "چھوٹی مثلث نیلی ہے۔"),
    (SayShape(BLUE_OBJECT, Shape.STAR), "نیلی چیز ایک ستارہ ہے۔"),
    (SaySize(GREEN_CROSS, Size.SMALL), "سبز کراس چھوٹا ہے۔"),
    (SayThere((Group(1, OBJECT),)), "تصویر میں ایک چیز ہے۔"),
    (SayThere((Group(1, RED_CIRCLE), Group(2, STAR))), "تصویر میں ایک سرخ دائرہ اور دو ستارے ہیں۔"),
    (
        SayThere((Group(2, BLUE_TRIANGLE), Group(1, GREEN_CROSS), Group(6, SMALL_BLACK_HEART))),
        "تصویر میں دو نیلی مثلثیں، ایک سبز کراس اور چھ چھوٹے کالے دل ہیں۔",
    ),
    (SayNone(BLUE_TRIANGLE), "تصویر میں کوئی نیلی مثلث نہیں ہے۔"),
    (SayTotal(1), "تصویر میں کل ایک چیز نظر آتی ہے۔"),
    (SayTotal(5), "تصویر میں کل پانچ چیزیں نظر آتی ہیں۔"),
    (SaySide(RED_CIRCLE, Side.RIGHT, BIG_YELLOW_STAR), "سرخ دائرہ بڑے پیلے ستارے کے دائیں طرف ہے۔"),
    (
        SayMore(Group(3, CIRCLE), Group(1, SQUARE), True),
        "جی ہاں، دائرے مربعوں سے زیادہ ہیں: تین دائرے اور ایک مربع۔",
    ),
    (
        SayMore(Group(1, STAR), Group(4, BLUE_TRIANGLE), False),
        "جی نہیں، ستارے نیلی مثلثوں سے زیادہ نہیں ہیں: ایک ستارہ اور چار نیلی مثلثیں۔",
    ),
    (SayLeft(BLUE_TRIANGLE, 3), "تین نیلی مثلثیں ہیں، اس لیے دو نیلی مثلثیں بچیں گی۔"),
    (SayLeft(RED_CIRCLE, 2), "دو سرخ دائرے ہیں، اس لیے ایک سرخ دائرہ بچے گا۔"),
    (SayLeft(STAR, 1), "ایک ستارہ ہے، اس لیے کوئی ستارہ نہیں بچے گا۔"),
    (
        SayBox(GREEN_CROSS, "[0.25, 0.00, 0.50, 0.25]"),
        "سبز کراس باکس [0.25, 0.00, 0.50, 0.25] میں ہے۔",
    ),
    (SayWidth(BLUE_TRIANGLE, 48), "نیلی مثلث 48 px چوڑی ہے۔"),
    (
        SayLink(CIRCLE, "https://example.org/circle"),
        "آپ دائروں کے بارے میں مزید یہاں پڑھ سکتے ہیں: https://example.org/circle ۔",
    ),
    (SayList((Group(1, RED_CIRCLE), Group(2, BLUE_TRIANGLE))), "- ایک سرخ دائرہ\n- دو نیلی مثلثیں"),
]


@pytest.mark.parametrize(("message", "text"), GOLDEN)
def test_urdu_sentence_is_exact(message: Message, text: str) -> None:
    assert say(message) == text
