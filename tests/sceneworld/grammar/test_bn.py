"""Exact Bengali sentences where the grammar is hard."""

import pytest

from sceneworld.grammar.bn import say
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
    (AskColour(SMALL_TRIANGLE), "ছোট ত্রিভুজটি কী রঙের?"),
    (AskColour(STAR), "তারাটি কী রঙের?"),
    (AskShape(BLUE_OBJECT), "নীল বস্তুটির আকৃতি কী?"),
    (AskSize(RED_CIRCLE), "লাল বৃত্তটি বড় নাকি ছোট?"),
    (AskSize(BLUE_OBJECT), "নীল বস্তুটি বড় নাকি ছোট?"),
    (AskCount(RED_CIRCLE), "কয়টি লাল বৃত্ত আছে?"),
    (AskCount(BIG_YELLOW_STAR), "কয়টি বড় হলুদ তারা আছে?"),
    (AskCount(BLUE_OBJECT), "কয়টি নীল বস্তু আছে?"),
    (AskRegion(BIG_YELLOW_STAR), "বড় হলুদ তারাটি কোথায় আছে?"),
    (AskExists(SMALL_BLACK_HEART), "ছবিতে কি কোনো ছোট কালো হার্ট আছে?"),
    (AskSide(RED_CIRCLE, Side.LEFT, BLUE_SQUARE), "লাল বৃত্তটি কি নীল বর্গক্ষেত্রটির বাঁ দিকে আছে?"),
    (
        AskSide(SMALL_BLACK_HEART, Side.ABOVE, BIG_YELLOW_STAR),
        "ছোট কালো হার্টটি কি বড় হলুদ তারাটির উপরে আছে?",
    ),
    (AskMore(CIRCLE, SQUARE), "বৃত্তের সংখ্যা কি বর্গক্ষেত্রের সংখ্যার চেয়ে বেশি?"),
    (AskMore(BIG_YELLOW_STAR, BLUE_TRIANGLE), "বড় হলুদ তারার সংখ্যা কি নীল ত্রিভুজের সংখ্যার চেয়ে বেশি?"),
    (AskLeft(BIG_YELLOW_STAR), "একটি বড় হলুদ তারা সরিয়ে নিলে কয়টি বড় হলুদ তারা বাকি থাকবে?"),
    (AskLeft(BLUE_OBJECT), "একটি নীল বস্তু সরিয়ে নিলে কয়টি নীল বস্তু বাকি থাকবে?"),
    (AskBox(BIG_YELLOW_STAR), "বড় হলুদ তারাটির বাউন্ডিং বক্স দিন।"),
    (AskWidth(BLUE_TRIANGLE), "নীল ত্রিভুজটি কতটা চওড়া?"),
    (AskLink(STAR), "আমি তারা সম্পর্কে আরও কোথায় পড়তে পারি?"),
    (ShortColour(Colour.BLUE, BLUE_TRIANGLE), "নীল।"),
    (ShortShape(Shape.HEART), "একটি হার্ট।"),
    (ShortSize(Size.BIG, BLUE_OBJECT), "বড়।"),
    (ShortCount(2, CIRCLE), "দুটি।"),
    (ShortCount(2, STAR), "দুটি।"),
    (ShortCount(0, STAR), "একটিও না।"),
    (ShortRegion(Region.BOTTOM_RIGHT), "নিচের ডান কোণে।"),
    (SayColour(SMALL_TRIANGLE, Colour.BLUE), "ছোট ত্রিভুজটি নীল।"),
    (SayShape(BLUE_OBJECT, Shape.STAR), "নীল বস্তুটি একটি তারা।"),
    (SaySize(GREEN_CROSS, Size.SMALL), "সবুজ ক্রসটি ছোট।"),
    (SayThere((Group(1, OBJECT),)), "ছবিতে একটি বস্তু আছে।"),
    (SayThere((Group(1, RED_CIRCLE), Group(2, STAR))), "ছবিতে একটি লাল বৃত্ত এবং দুটি তারা আছে।"),
    (
        SayThere((Group(2, BLUE_TRIANGLE), Group(1, GREEN_CROSS), Group(6, SMALL_BLACK_HEART))),
        "ছবিতে দুটি নীল ত্রিভুজ, একটি সবুজ ক্রস এবং ছয়টি ছোট কালো হার্ট আছে।",
    ),
    (SayNone(BLUE_TRIANGLE), "ছবিতে কোনো নীল ত্রিভুজ নেই।"),
    (SayTotal(1), "ছবিতে মোট একটি বস্তু দেখা যাচ্ছে।"),
    (SayTotal(5), "ছবিতে মোট পাঁচটি বস্তু দেখা যাচ্ছে।"),
    (SaySide(RED_CIRCLE, Side.RIGHT, BIG_YELLOW_STAR), "লাল বৃত্তটি বড় হলুদ তারাটির ডান দিকে আছে।"),
    (
        SayMore(Group(3, CIRCLE), Group(1, SQUARE), True),
        "হ্যাঁ, বৃত্তের সংখ্যা বর্গক্ষেত্রের সংখ্যার চেয়ে বেশি: তিনটি বৃত্ত এবং একটি বর্গক্ষেত্র।",
    ),
    (
        SayMore(Group(1, STAR), Group(4, BLUE_TRIANGLE), False),
        "না, তারার সংখ্যা নীল ত্রিভুজের সংখ্যার চেয়ে বেশি নয়: একটি তারা এবং চারটি নীল ত্রিভুজ।",
    ),
    (SayLeft(BLUE_TRIANGLE, 3), "তিনটি নীল ত্রিভুজ আছে, তাই দুটি নীল ত্রিভুজ বাকি থাকবে।"),
    (SayLeft(RED_CIRCLE, 2), "দুটি লাল বৃত্ত আছে, তাই একটি লাল বৃত্ত বাকি থাকবে।"),
    (SayLeft(STAR, 1), "একটি তারা আছে, তাই কোনো তারা বাকি থাকবে না।"),
    (
        SayBox(GREEN_CROSS, "[0.25, 0.00, 0.50, 0.25]"),
        "সবুজ ক্রসটি [0.25, 0.00, 0.50, 0.25] বক্সের মধ্যে আছে।",
    ),
    (SayWidth(BLUE_TRIANGLE, 48), "নীল ত্রিভুজটি 48 px চওড়া।"),
    (
        SayLink(CIRCLE, "https://example.org/circle"),
        "আপনি বৃত্ত সম্পর্কে আরও এখানে পড়তে পারেন: https://example.org/circle ।",
    ),
    (SayList((Group(1, RED_CIRCLE), Group(2, BLUE_TRIANGLE))), "- একটি লাল বৃত্ত\n- দুটি নীল ত্রিভুজ"),
]


@pytest.mark.parametrize(("message", "text"), GOLDEN)
def test_bengali_sentence_is_exact(message: Message, text: str) -> None:
    assert say(message) == text
