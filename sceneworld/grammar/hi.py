"""Hindi: adjectives and verbs agree in gender and number; the oblique stands before postpositions.

The circle, the square and most shapes are masculine, the object (वस्तु) is feminine.
"""

from sceneworld import messages as m
from sceneworld.grammar import Sentences
from sceneworld.grammar.lexicon import Gender, Lexicon, Noun
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

SINGULAR, OBLIQUE, PLURAL, OBLIQUE_PLURAL = range(4)
LEXICON = Lexicon(
    nouns={
        None: Noun("वस्तु वस्तु वस्तुएँ वस्तुओं", Gender.FEMININE),
        Shape.CIRCLE: Noun("वृत्त वृत्त वृत्त वृत्तों"),
        Shape.SQUARE: Noun("वर्ग वर्ग वर्ग वर्गों"),
        Shape.TRIANGLE: Noun("त्रिभुज त्रिभुज त्रिभुज त्रिभुजों"),
        Shape.STAR: Noun("तारा तारे तारे तारों"),
        Shape.HEART: Noun("दिल दिल दिल दिलों"),
        Shape.CROSS: Noun("क्रॉस क्रॉस क्रॉस क्रॉसों"),
    },
    colours={
        Colour.RED: "लाल",
        Colour.BLUE: "नीला नीले | नीली",
        Colour.GREEN: "हरा हरे | हरी",
        Colour.YELLOW: "पीला पीले | पीली",
        Colour.ORANGE: "नारंगी",
        Colour.PURPLE: "बैंगनी",
        Colour.BLACK: "काला काले | काली",
    },
    sizes={Size.SMALL: "छोटा छोटे | छोटी", Size.BIG: "बड़ा बड़े | बड़ी"},
    numbers=("", "एक", "दो", "तीन", "चार", "पाँच", "छह"),
    plural=PLURAL,
    joins=(", ", " और "),
)
HOW_MUCH, WIDE, OF, GIVEN = "कितना कितने | कितनी", "चौड़ा चौड़े | चौड़ी", "का के | की", "दिया दिए | दी"
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
the, agree, colour_of, size_of = LEXICON.phrase, LEXICON.agree, LEXICON.colour, LEXICON.size
counted, listed = LEXICON.counted, LEXICON.listed


def oblique(kind: Kind) -> str:
    """The thing before a postposition."""
    return the(kind, OBLIQUE)


def many(kind: Kind) -> str:
    return the(kind, PLURAL)


def many_oblique(kind: Kind) -> str:
    return the(kind, OBLIQUE_PLURAL)


def are(count: int) -> str:
    return "हैं" if count > 1 else "है"


def remains(kind: Kind, form: int) -> str:
    """Will be left: a future, which has forms for gender and number."""
    return agree("बचेगा बचेंगे बचेंगे | बचेगी बचेंगी बचेंगी", kind, form)


def how_many(kind: Kind) -> str:
    return f"{agree(HOW_MUCH, kind, PLURAL)} {many(kind)}"


def ask_size(kind: Kind) -> str:
    return f"{the(kind)} {size_of(Size.BIG, kind)} है या {size_of(Size.SMALL, kind)}?"


def ask_left(kind: Kind) -> str:
    removed = f"एक {the(kind)} हटा {agree(GIVEN, kind)} जाए"
    return f"यदि {removed}, तो {how_many(kind)} {remains(kind, PLURAL)}?"


def there(groups: tuple[Group, ...]) -> str:
    return f"चित्र में {listed(groups)} {are(sum(group.count for group in groups))}।"


def say_more(group: Group, other: Group, more: bool) -> str:
    compared = f"{many(group.kind)} {many_oblique(other.kind)} से अधिक"
    verdict = f"हाँ, {compared} हैं" if more else f"नहीं, {compared} नहीं हैं"
    return f"{verdict}: {listed((group, other))}।"


def say_left(kind: Kind, before: int) -> str:
    will = remains(kind, PLURAL if before > 2 else SINGULAR)
    rest = f"कोई {the(kind)} नहीं {will}" if before == 1 else f"{counted(before - 1, kind)} {will}"
    return f"{counted(before, kind)} {are(before)}, इसलिए {rest}।"


SENTENCES: Sentences = {
    m.AskColour: lambda kind: f"{the(kind)} किस रंग {agree(OF, kind)} है?",
    m.AskShape: lambda kind: f"{oblique(kind)} की आकृति क्या है?",
    m.AskSize: ask_size,
    m.AskCount: lambda kind: f"{how_many(kind)} हैं?",
    m.AskRegion: lambda kind: f"{the(kind)} कहाँ है?",
    m.AskExists: lambda kind: f"क्या चित्र में कोई {the(kind)} है?",
    m.AskSide: lambda kind, side, other: f"क्या {the(kind)} {oblique(other)} {SIDES[side]} है?",
    m.AskList: ("आपको चित्र में क्या दिखाई देता है?", "चित्र में मौजूद सभी वस्तुओं की सूची बनाइए।"),
    m.AskDetail: (
        "निम्नलिखित छवि का वर्णन कीजिए।",
        "चित्र का विस्तृत वर्णन कीजिए।",
        "इस छवि में क्या दिखाया गया है?",
        "क्या आप चित्र का विस्तार से वर्णन कर सकते हैं?",
    ),
    m.AskMore: lambda kind, other: f"क्या {many(kind)} {many_oblique(other)} से अधिक हैं?",
    m.AskLeft: ask_left,
    m.AskBox: lambda kind: f"{oblique(kind)} का बाउंडिंग बॉक्स बताइए।",
    m.AskWidth: lambda kind: f"{the(kind)} {agree(HOW_MUCH, kind)} {agree(WIDE, kind)} है?",
    m.AskLink: lambda kind: f"{many_oblique(kind)} के बारे में और अधिक कहाँ पढ़ा जा सकता है?",
    m.ShortColour: lambda colour, kind: f"{colour_of(colour, kind)}।",
    m.ShortShape: lambda shape: f"{counted(1, Kind(shape))}।",
    m.ShortSize: lambda size, kind: f"{size_of(size, kind)}।",
    m.ShortCount: lambda count, kind: f"{LEXICON.numbers[count]}।" if count else "एक भी नहीं।",
    m.ShortRegion: lambda region: f"{REGIONS[region]}।",
    m.Yes: "हाँ।",
    m.No: "नहीं।",
    m.SayColour: lambda kind, colour: f"{the(kind)} {colour_of(colour, kind)} है।",
    m.SayShape: lambda kind, shape: f"{the(kind)} {counted(1, Kind(shape))} है।",
    m.SaySize: lambda kind, size: f"{the(kind)} {size_of(size, kind)} है।",
    m.SayThere: there,
    m.SayNone: lambda kind: f"चित्र में कोई {the(kind)} नहीं है।",
    m.SayTotal: lambda count: f"चित्र में कुल {counted(count, Kind())} दिखाई देती {are(count)}।",
    m.SayRegion: lambda kind, region: f"{the(kind)} {REGIONS[region]} है।",
    m.SaySide: lambda kind, side, other: f"{the(kind)} {oblique(other)} {SIDES[side]} है।",
    m.SayBackground: "पृष्ठभूमि सफ़ेद है और इसके अलावा कुछ भी दिखाई नहीं देता।",
    m.SayMore: say_more,
    m.SayLeft: say_left,
    m.SayBox: lambda kind, box: f"{the(kind)} बॉक्स {box} में है।",
    m.SayWidth: lambda kind, width_px: f"{the(kind)} {width_px} px {agree(WIDE, kind)} है।",
    m.SayLink: lambda kind, url: f"आप {many_oblique(kind)} के बारे में और अधिक यहाँ पढ़ सकते हैं: {url} ।",
    m.SayList: counted,
}
