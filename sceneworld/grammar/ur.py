"""Urdu: adjectives and verbs agree in gender and number; the oblique stands before postpositions.

The triangle (مثلث) and the object (چیز) are feminine, the other shapes are masculine.
"""

from sceneworld import messages as m
from sceneworld.grammar import Sentences
from sceneworld.grammar.lexicon import Gender, Lexicon, Noun
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

SINGULAR, OBLIQUE, PLURAL, OBLIQUE_PLURAL = range(4)
LEXICON = Lexicon(
    nouns={
        None: Noun("چیز چیز چیزیں چیزوں", Gender.FEMININE),
        Shape.CIRCLE: Noun("دائرہ دائرے دائرے دائروں"),
        Shape.SQUARE: Noun("مربع مربع مربع مربعوں"),
        Shape.TRIANGLE: Noun("مثلث مثلث مثلثیں مثلثوں", Gender.FEMININE),
        Shape.STAR: Noun("ستارہ ستارے ستارے ستاروں"),
        Shape.HEART: Noun("دل دل دل دلوں"),
        Shape.CROSS: Noun("کراس کراس کراس کراسوں"),
    },
    colours={
        Colour.RED: "سرخ",
        Colour.BLUE: "نیلا نیلے | نیلی",
        Colour.GREEN: "سبز",
        Colour.YELLOW: "پیلا پیلے | پیلی",
        Colour.ORANGE: "نارنجی",
        Colour.PURPLE: "جامنی",
        Colour.BLACK: "کالا کالے | کالی",
    },
    sizes={Size.SMALL: "چھوٹا چھوٹے | چھوٹی", Size.BIG: "بڑا بڑے | بڑی"},
    numbers=("", "ایک", "دو", "تین", "چار", "پانچ", "چھ"),
    plural=PLURAL,
    joins=("، ", " اور "),
)
HOW_MUCH, WIDE, OF, GIVEN = "کتنا کتنے | کتنی", "چوڑا چوڑے | چوڑی", "کا کے | کی", "دیا دیے | دی"
SIDES = {
    Side.LEFT: "کے بائیں طرف",
    Side.RIGHT: "کے دائیں طرف",
    Side.ABOVE: "کے اوپر",
    Side.BELOW: "کے نیچے",
}
REGIONS = {
    Region.TOP_LEFT: "اوپری بائیں کونے میں",
    Region.TOP_RIGHT: "اوپری دائیں کونے میں",
    Region.BOTTOM_LEFT: "نچلے بائیں کونے میں",
    Region.BOTTOM_RIGHT: "نچلے دائیں کونے میں",
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
    return "ہیں" if count > 1 else "ہے"


def remains(kind: Kind, form: int) -> str:
    """Will be left: a future, which has forms for gender and number."""
    return f"{agree('بچے بچیں بچیں', kind, form)} {agree('گا گے | گی', kind, form)}"


def how_many(kind: Kind) -> str:
    return f"{agree(HOW_MUCH, kind, PLURAL)} {many(kind)}"


def ask_size(kind: Kind) -> str:
    return f"{the(kind)} {size_of(Size.BIG, kind)} ہے یا {size_of(Size.SMALL, kind)}؟"


def ask_left(kind: Kind) -> str:
    removed = f"ایک {the(kind)} ہٹا {agree(GIVEN, kind)} جائے"
    return f"اگر {removed} تو {how_many(kind)} {remains(kind, PLURAL)}؟"


def there(groups: tuple[Group, ...]) -> str:
    return f"تصویر میں {listed(groups)} {are(sum(group.count for group in groups))}۔"


def say_more(group: Group, other: Group, more: bool) -> str:
    compared = f"{many(group.kind)} {many_oblique(other.kind)} سے زیادہ"
    verdict = f"جی ہاں، {compared} ہیں" if more else f"جی نہیں، {compared} نہیں ہیں"
    return f"{verdict}: {listed((group, other))}۔"


def say_left(kind: Kind, before: int) -> str:
    will = remains(kind, PLURAL if before > 2 else SINGULAR)
    rest = f"کوئی {the(kind)} نہیں {will}" if before == 1 else f"{counted(before - 1, kind)} {will}"
    return f"{counted(before, kind)} {are(before)}، اس لیے {rest}۔"


SENTENCES: Sentences = {
    m.AskColour: lambda kind: f"{the(kind)} کس رنگ {agree(OF, kind)} ہے؟",
    m.AskShape: lambda kind: f"{oblique(kind)} کی شکل کیا ہے؟",
    m.AskSize: ask_size,
    m.AskCount: lambda kind: f"{how_many(kind)} ہیں؟",
    m.AskRegion: lambda kind: f"{the(kind)} کہاں ہے؟",
    m.AskExists: lambda kind: f"کیا تصویر میں کوئی {the(kind)} ہے؟",
    m.AskSide: lambda kind, side, other: f"کیا {the(kind)} {oblique(other)} {SIDES[side]} ہے؟",
    m.AskList: ("آپ کو تصویر میں کیا نظر آتا ہے؟", "تصویر میں موجود تمام چیزوں کی فہرست بنائیے۔"),
    m.AskDetail: (
        "درج ذیل تصویر کی وضاحت کیجیے۔",
        "تصویر کی تفصیلی وضاحت کیجیے۔",
        "اس تصویر میں کیا دکھایا گیا ہے؟",
        "کیا آپ تصویر کو تفصیل سے بیان کر سکتے ہیں؟",
    ),
    m.AskMore: lambda kind, other: f"کیا {many(kind)} {many_oblique(other)} سے زیادہ ہیں؟",
    m.AskLeft: ask_left,
    m.AskBox: lambda kind: f"{oblique(kind)} کا باؤنڈنگ باکس بتائیے۔",
    m.AskWidth: lambda kind: f"{the(kind)} {agree(HOW_MUCH, kind)} {agree(WIDE, kind)} ہے؟",
    m.AskLink: lambda kind: f"{many_oblique(kind)} کے بارے میں مزید کہاں پڑھا جا سکتا ہے؟",
    m.ShortColour: lambda colour, kind: f"{colour_of(colour, kind)}۔",
    m.ShortShape: lambda shape: f"{counted(1, Kind(shape))}۔",
    m.ShortSize: lambda size, kind: f"{size_of(size, kind)}۔",
    m.ShortCount: lambda count, kind: f"{LEXICON.numbers[count]}۔" if count else "ایک بھی نہیں۔",
    m.ShortRegion: lambda region: f"{REGIONS[region]}۔",
    m.Yes: "جی ہاں۔",
    m.No: "جی نہیں۔",
    m.SayColour: lambda kind, colour: f"{the(kind)} {colour_of(colour, kind)} ہے۔",
    m.SayShape: lambda kind, shape: f"{the(kind)} {counted(1, Kind(shape))} ہے۔",
    m.SaySize: lambda kind, size: f"{the(kind)} {size_of(size, kind)} ہے۔",
    m.SayThere: there,
    m.SayNone: lambda kind: f"تصویر میں کوئی {the(kind)} نہیں ہے۔",
    m.SayTotal: lambda count: f"تصویر میں کل {counted(count, Kind())} نظر آتی {are(count)}۔",
    m.SayRegion: lambda kind, region: f"{the(kind)} {REGIONS[region]} ہے۔",
    m.SaySide: lambda kind, side, other: f"{the(kind)} {oblique(other)} {SIDES[side]} ہے۔",
    m.SayBackground: "پس منظر سفید ہے اور اس کے علاوہ کچھ بھی نظر نہیں آتا۔",
    m.SayMore: say_more,
    m.SayLeft: say_left,
    m.SayBox: lambda kind, box: f"{the(kind)} باکس {box} میں ہے۔",
    m.SayWidth: lambda kind, width_px: f"{the(kind)} {width_px} px {agree(WIDE, kind)} ہے۔",
    m.SayLink: lambda kind, url: (
        f"آپ {many_oblique(kind)} کے بارے میں مزید یہاں پڑھ سکتے ہیں: {url} ۔"
    ),
    m.SayList: counted,
}
