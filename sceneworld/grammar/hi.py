"""Hindi: adjectives and verbs agree in gender and number; the oblique stands before postpositions.

The circle, the square and most shapes are masculine, the object (वस्तु) is feminine.
"""

from sceneworld.grammar.hindustani import Adjective, Lexicon, Noun
from sceneworld.messages import (
    AskBox,
    AskColour,
    AskCount,
    AskDetail,
    AskExists,
    AskLeft,
    AskLink,
    AskList,
    AskMore,
    AskRegion,
    AskShape,
    AskSide,
    AskSize,
    AskWidth,
    Colour,
    Kind,
    Message,
    No,
    Region,
    SayBackground,
    SayBox,
    SayColour,
    SayLeft,
    SayLink,
    SayList,
    SayMore,
    SayNone,
    SayRegion,
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
    Yes,
)

LEXICON = Lexicon(
    shapes={
        None: Noun("वस्तु", "वस्तु", "वस्तुएँ", "वस्तुओं", feminine=True),
        Shape.CIRCLE: Noun("वृत्त", "वृत्त", "वृत्त", "वृत्तों"),
        Shape.SQUARE: Noun("वर्ग", "वर्ग", "वर्ग", "वर्गों"),
        Shape.TRIANGLE: Noun("त्रिभुज", "त्रिभुज", "त्रिभुज", "त्रिभुजों"),
        Shape.STAR: Noun("तारा", "तारे", "तारे", "तारों"),
        Shape.HEART: Noun("दिल", "दिल", "दिल", "दिलों"),
        Shape.CROSS: Noun("क्रॉस", "क्रॉस", "क्रॉस", "क्रॉसों"),
    },
    colours={
        Colour.RED: Adjective("लाल", "लाल", "लाल"),
        Colour.BLUE: Adjective("नीला", "नीले", "नीली"),
        Colour.GREEN: Adjective("हरा", "हरे", "हरी"),
        Colour.YELLOW: Adjective("पीला", "पीले", "पीली"),
        Colour.ORANGE: Adjective("नारंगी", "नारंगी", "नारंगी"),
        Colour.PURPLE: Adjective("बैंगनी", "बैंगनी", "बैंगनी"),
        Colour.BLACK: Adjective("काला", "काले", "काली"),
    },
    sizes={
        Size.SMALL: Adjective("छोटा", "छोटे", "छोटी"),
        Size.BIG: Adjective("बड़ा", "बड़े", "बड़ी"),
    },
    numbers=("एक", "दो", "तीन", "चार", "पाँच", "छह"),
    join=(", ", " और "),
)
HOW_MUCH = Adjective("कितना", "कितने", "कितनी")
WIDE = Adjective("चौड़ा", "चौड़े", "चौड़ी")
OF = Adjective("का", "के", "की")
GIVEN = Adjective("दिया", "दिए", "दी")
# By (feminine, plural): "will be left" is a future, which has a form of its own for each.
REMAINS = {
    (False, False): "बचेगा",
    (False, True): "बचेंगे",
    (True, False): "बचेगी",
    (True, True): "बचेंगी",
}
SIDES = {
    Side.LEFT: "के बाईं ओर",
    Side.RIGHT: "के दाईं ओर",
    Side.ABOVE: "के ऊपर",
    Side.BELOW: "के नीचे",
}
REGIONS = {
    Region.TOP_LEFT: "ऊपरी बाएँ कोने में",
    Region.TOP_RIGHT: "ऊपरी दाएँ कोने में",
    Region.BOTTOM_LEFT: "निचले बाएँ कोने में",
    Region.BOTTOM_RIGHT: "निचले दाएँ कोने में",
}
LISTS = ("आपको चित्र में क्या दिखाई देता है?", "चित्र में मौजूद सभी वस्तुओं की सूची बनाइए।")
DETAILS = (
    "निम्नलिखित छवि का वर्णन कीजिए।",
    "चित्र का विस्तृत वर्णन कीजिए।",
    "इस छवि में क्या दिखाया गया है?",
    "क्या आप चित्र का विस्तार से वर्णन कर सकते हैं?",
)


def one(kind: Kind) -> str:
    """The thing as subject: लाल वृत्त."""
    return LEXICON.phrase(kind)


def oblique(kind: Kind) -> str:
    """The thing before a postposition: नीले तारे."""
    return LEXICON.phrase(kind, oblique=True)


def many(kind: Kind) -> str:
    """The things as subject: नीले तारे."""
    return LEXICON.phrase(kind, plural=True)


def many_oblique(kind: Kind) -> str:
    """The things before a postposition: नीले तारों."""
    return LEXICON.phrase(kind, plural=True, oblique=True)


def question(message: Message) -> str | None:
    """What a person asks; None where the message is no question."""
    agree = LEXICON.agree
    match message:
        case AskColour(kind):
            return f"{one(kind)} किस रंग {agree(OF, kind)} है?"
        case AskShape(kind):
            return f"{oblique(kind)} की आकृति क्या है?"
        case AskSize(kind):
            big, small = (agree(LEXICON.sizes[size], kind) for size in (Size.BIG, Size.SMALL))
            return f"{one(kind)} {big} है या {small}?"
        case AskCount(kind):
            return f"{agree(HOW_MUCH, kind, plural=True)} {many(kind)} हैं?"
        case AskRegion(kind):
            return f"{one(kind)} कहाँ है?"
        case AskExists(kind):
            return f"क्या चित्र में कोई {one(kind)} है?"
        case AskSide(kind, side, other):
            return f"क्या {one(kind)} {oblique(other)} {SIDES[side]} है?"
        case AskList(variant):
            return LISTS[variant]
        case AskDetail(variant):
            return DETAILS[variant]
        case AskMore(kind, other):
            return f"क्या {many(kind)} {many_oblique(other)} से अधिक हैं?"
        case AskLeft(kind):
            removed = f"एक {one(kind)} हटा {agree(GIVEN, kind)} जाए"
            rest = f"{agree(HOW_MUCH, kind, plural=True)} {many(kind)}"
            return f"यदि {removed}, तो {rest} {REMAINS[LEXICON.feminine(kind), True]}?"
        case AskBox(kind):
            return f"{oblique(kind)} का बाउंडिंग बॉक्स बताइए।"
        case AskWidth(kind):
            return f"{one(kind)} {agree(HOW_MUCH, kind)} {agree(WIDE, kind)} है?"
        case AskLink(kind):
            return f"{many_oblique(kind)} के बारे में और अधिक कहाँ पढ़ा जा सकता है?"
    return None


def short_answer(message: Message) -> str | None:
    """A word or two; None where the message is no short answer."""
    match message:
        case ShortColour(colour, kind):
            return f"{LEXICON.agree(LEXICON.colours[colour], kind)}।"
        case ShortShape(shape):
            return f"{LEXICON.counted(1, Kind(shape))}।"
        case ShortSize(size, kind):
            return f"{LEXICON.agree(LEXICON.sizes[size], kind)}।"
        case ShortCount(0):
            return "एक भी नहीं।"
        case ShortCount(count):
            return f"{LEXICON.numbers[count - 1]}।"
        case ShortRegion(region):
            return f"{REGIONS[region]}।"
        case Yes():
            return "हाँ।"
        case No():
            return "नहीं।"
    return None


def statement(message: Message) -> str | None:
    """A whole sentence or a list; None where the message is neither."""
    agree, counted, listed = LEXICON.agree, LEXICON.counted, LEXICON.listed
    match message:
        case SayColour(kind, colour):
            return f"{one(kind)} {agree(LEXICON.colours[colour], kind)} है।"
        case SayShape(kind, shape):
            return f"{one(kind)} {counted(1, Kind(shape))} है।"
        case SaySize(kind, size):
            return f"{one(kind)} {agree(LEXICON.sizes[size], kind)} है।"
        case SayThere(groups):
            return f"चित्र में {listed(groups)} {are(sum(group.count for group in groups))}।"
        case SayNone(kind):
            return f"चित्र में कोई {one(kind)} नहीं है।"
        case SayTotal(count):
            return f"चित्र में कुल {counted(count, Kind())} दिखाई देती {are(count)}।"
        case SayRegion(kind, region):
            return f"{one(kind)} {REGIONS[region]} है।"
        case SaySide(kind, side, other):
            return f"{one(kind)} {oblique(other)} {SIDES[side]} है।"
        case SayBackground():
            return "पृष्ठभूमि सफ़ेद है और इसके अलावा कुछ भी दिखाई नहीं देता।"
        case SayMore(group, other, more):
            compared = f"{many(group.kind)} {many_oblique(other.kind)} से अधिक"
            verdict = f"हाँ, {compared} हैं" if more else f"नहीं, {compared} नहीं हैं"
            return f"{verdict}: {listed((group, other))}।"
        case SayLeft(kind, before):
            remains = REMAINS[LEXICON.feminine(kind), before > 2]
            rest = f"{counted(before - 1, kind)} {remains}"
            if before == 1:
                rest = f"कोई {one(kind)} नहीं {remains}"
            return f"{counted(before, kind)} {are(before)}, इसलिए {rest}।"
        case SayBox(kind, box):
            return f"{one(kind)} बॉक्स {box} में है।"
        case SayWidth(kind, width_px):
            return f"{one(kind)} {width_px} px {agree(WIDE, kind)} है।"
        case SayLink(kind, url):
            return f"आप {many_oblique(kind)} के बारे में और अधिक यहाँ पढ़ सकते हैं: {url} ।"
        case SayList(groups):
            return "\n".join(f"- {counted(group.count, group.kind)}" for group in groups)
    return None


def are(count: int) -> str:
    """The copula for so many things."""
    return "हैं" if count > 1 else "है"


def say(message: Message) -> str:
    """The message as one Hindi sentence, or as one list."""
    text = question(message) or short_answer(message) or statement(message)
    assert text is not None, f"no Hindi for {message!r}"
    return text
