"""Exact Hindi sentences where the grammar is hard."""

import pytest

from sceneworld.grammar.hi import say
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
    (AskColour(SMALL_TRIANGLE), "छोटा त्रिभुज किस रंग का है?"),
    (AskColour(STAR), "तारा किस रंग का है?"),
    (AskShape(BLUE_OBJECT), "नीली वस्तु की आकृति क्या है?"),
    (AskSize(RED_CIRCLE), "लाल वृत्त बड़ा है या छोटा?"),
    (AskSize(BLUE_OBJECT), "नीली वस्तु बड़ी है या छोटी?"),
    (AskCount(RED_CIRCLE), "कितने लाल वृत्त हैं?"),
    (AskCount(BIG_YELLOW_STAR), "कितने बड़े पीले तारे हैं?"),
    (AskCount(BLUE_OBJECT), "कितनी नीली वस्तुएँ हैं?"),
    (AskRegion(BIG_YELLOW_STAR), "बड़ा पीला तारा कहाँ है?"),
    (AskExists(SMALL_BLACK_HEART), "क्या चित्र में कोई छोटा काला दिल है?"),
    (AskSide(RED_CIRCLE, Side.LEFT, BLUE_SQUARE), "क्या लाल वृत्त नीले वर्ग के बाईं ओर है?"),
    (
        AskSide(SMALL_BLACK_HEART, Side.ABOVE, BIG_YELLOW_STAR),
        "क्या छोटा काला दिल बड़े पीले तारे के ऊपर है?",
    ),
    (AskMore(CIRCLE, SQUARE), "क्या वृत्त वर्गों से अधिक हैं?"),
    (AskMore(BIG_YELLOW_STAR, BLUE_TRIANGLE), "क्या बड़े पीले तारे नीले त्रिभुजों से अधिक हैं?"),
    (AskLeft(BIG_YELLOW_STAR), "यदि एक बड़ा पीला तारा हटा दिया जाए, तो कितने बड़े पीले तारे बचेंगे?"),
    (AskLeft(BLUE_OBJECT), "यदि एक नीली वस्तु हटा दी जाए, तो कितनी नीली वस्तुएँ बचेंगी?"),
    (AskBox(BIG_YELLOW_STAR), "बड़े पीले तारे का बाउंडिंग बॉक्स बताइए।"),
    (AskWidth(BLUE_TRIANGLE), "नीला त्रिभुज कितना चौड़ा है?"),
    (AskLink(STAR), "तारों के बारे में और अधिक कहाँ पढ़ा जा सकता है?"),
    (ShortColour(Colour.BLUE, BLUE_TRIANGLE), "नीला।"),
    (ShortShape(Shape.HEART), "एक दिल।"),
    (ShortSize(Size.BIG, BLUE_OBJECT), "बड़ी।"),
    (ShortCount(2, CIRCLE), "दो।"),
    (ShortCount(2, STAR), "दो।"),
    (ShortCount(0, STAR), "एक भी नहीं।"),
    (ShortRegion(Region.BOTTOM_RIGHT), "निचले दाएँ कोने में।"),
    (SayColour(SMALL_TRIANGLE, Colour.BLUE), "छोटा त्रिभुज नीला है।"),
    (SayShape(BLUE_OBJECT, Shape.STAR), "नीली वस्तु एक तारा है।"),
    (SaySize(GREEN_CROSS, Size.SMALL), "हरा क्रॉस छोटा है।"),
    (SayThere((Group(1, OBJECT),)), "चित्र में एक वस्तु है।"),
    (SayThere((Group(1, RED_CIRCLE), Group(2, STAR))), "चित्र में एक लाल वृत्त और दो तारे हैं।"),
    (
        SayThere((Group(2, BLUE_TRIANGLE), Group(1, GREEN_CROSS), Group(6, SMALL_BLACK_HEART))),
        "चित्र में दो नीले त्रिभुज, एक हरा क्रॉस और छह छोटे काले दिल हैं।",
    ),
    (SayNone(BLUE_TRIANGLE), "चित्र में कोई नीला त्रिभुज नहीं है।"),
    (SayTotal(1), "चित्र में कुल एक वस्तु दिखाई देती है।"),
    (SayTotal(5), "चित्र में कुल पाँच वस्तुएँ दिखाई देती हैं।"),
    (SaySide(RED_CIRCLE, Side.RIGHT, BIG_YELLOW_STAR), "लाल वृत्त बड़े पीले तारे के दाईं ओर है।"),
    (
        SayMore(Group(3, CIRCLE), Group(1, SQUARE), True),
        "हाँ, वृत्त वर्गों से अधिक हैं: तीन वृत्त और एक वर्ग।",
    ),
    (
        SayMore(Group(1, STAR), Group(4, BLUE_TRIANGLE), False),
        "नहीं, तारे नीले त्रिभुजों से अधिक नहीं हैं: एक तारा और चार नीले त्रिभुज।",
    ),
    (SayLeft(BLUE_TRIANGLE, 3), "तीन नीले त्रिभुज हैं, इसलिए दो नीले त्रिभुज बचेंगे।"),
    (SayLeft(RED_CIRCLE, 2), "दो लाल वृत्त हैं, इसलिए एक लाल वृत्त बचेगा।"),
    (SayLeft(STAR, 1), "एक तारा है, इसलिए कोई तारा नहीं बचेगा।"),
    (
        SayBox(GREEN_CROSS, "[0.25, 0.00, 0.50, 0.25]"),
        "हरा क्रॉस बॉक्स [0.25, 0.00, 0.50, 0.25] में है।",
    ),
    (SayWidth(BLUE_TRIANGLE, 48), "नीला त्रिभुज 48 px चौड़ा है।"),
    (
        SayLink(CIRCLE, "https://example.org/circle"),
        "आप वृत्तों के बारे में और अधिक यहाँ पढ़ सकते हैं: https://example.org/circle ।",
    ),
    (SayList((Group(1, RED_CIRCLE), Group(2, BLUE_TRIANGLE))), "- एक लाल वृत्त\n- दो नीले त्रिभुज"),
]


@pytest.mark.parametrize(("message", "text"), GOLDEN)
def test_hindi_sentence_is_exact(message: Message, text: str) -> None:
    assert say(message) == text
