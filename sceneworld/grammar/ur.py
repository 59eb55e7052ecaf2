"""Urdu: adjectives and verbs agree in gender and number; the oblique stands before postpositions.

The triangle (مثلث) and the object (چیز) are feminine, the other shapes are masculine.
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
        None: Noun("چیز", "چیز", "چیزیں", "چیزوں", feminine=True),
        Shape.CIRCLE: Noun("دائرہ", "دائرے", "دائرے", "دائروں"),
        Shape.SQUARE: Noun("مربع", "مربع", "مربع", "مربعوں"),
        Shape.TRIANGLE: Noun("مثلث", "مثلث", "مثلثیں", "مثلثوں", feminine=True),
        Shape.STAR: Noun("ستارہ", "ستارے", "ستارے", "ستاروں"),
        Shape.HEART: Noun("دل", "دل", "دل", "دلوں"),
        Shape.CROSS: Noun("کراس", "کراس", "کراس", "کراسوں"),
    },
    colours={
        Colour.RED: Adjective("سرخ", "سرخ", "سرخ"),
        Colour.BLUE: Adjective("نیلا", "نیلے", "نیلی"),
        Colour.GREEN: Adjective("سبز", "سبز", "سبز"),
        Colour.YELLOW: Adjective("پیلا", "پیلے", "پیلی"),
        Colour.ORANGE: Adjective("نارنجی", "نارنجی", "نارنجی"),
        Colour.PURPLE: Adjective("جامنی", "جامنی", "جامنی"),
        Colour.BLACK: Adjective("کالا", "کالے", "کالی"),
    },
    sizes={
        Size.SMALL: Adjective("چھوٹا", "چھوٹے", "چھوٹی"),
        Size.BIG: Adjective("بڑا", "بڑے", "بڑی"),
    },
    numbers=("ایک", "دو", "تین", "چار", "پانچ", "چھ"),
    join=("، ", " اور "),
)
HOW_MUCH = Adjective("کتنا", "کتنے", "کتنی")
WIDE = Adjective("چوڑا", "چوڑے", "چوڑی")
OF = Adjective("کا", "کے", "کی")
GIVEN = Adjective("دیا", "دیے", "دی")
# By (feminine, plural): "will be left" is a future, which has a form of its own for each.
REMAINS = {
    (False, False): "بچے گا",
    (False, True): "بچیں گے",
    (True, False): "بچے گی",
    (True, True): "بچیں گی",
}
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
LISTS = ("آپ کو تصویر میں کیا نظر آتا ہے؟", "تصویر میں موجود تمام چیزوں کی فہرست بنائیے۔")
DETAILS = (
    "درج ذیل تصویر کی وضاحت کیجیے۔",
    "تصویر کی تفصیلی وضاحت کیجیے۔",
    "اس تصویر میں کیا دکھایا گیا ہے؟",
    "کیا آپ تصویر کو تفصیل سے بیان کر سکتے ہیں؟",
)


def one(kind: Kind) -> str:
    """The thing as subject: سرخ دائرہ."""
    return LEXICON.phrase(kind)


def oblique(kind: Kind) -> str:
    """The thing before a postposition: نیلے ستارے."""
    return LEXICON.phrase(kind, oblique=True)


def many(kind: Kind) -> str:
    """The things as subject: نیلے ستارے."""
    return LEXICON.phrase(kind, plural=True)


def many_oblique(kind: Kind) -> str:
    """The things before a postposition: نیلے ستاروں."""
    return LEXICON.phrase(kind, plural=True, oblique=True)


def question(message: Message) -> str | None:
    """What a person asks; None where the message is no question."""
    agree = LEXICON.agree
    match message:
        case AskColour(kind):
            return f"{one(kind)} کس رنگ {agree(OF, kind)} ہے؟"
        case AskShape(kind):
            return f"{oblique(kind)} کی شکل کیا ہے؟"
        case AskSize(kind):
            big, small = (agree(LEXICON.sizes[size], kind) for size in (Size.BIG, Size.SMALL))
            return f"{one(kind)} {big} ہے یا {small}؟"
        case AskCount(kind):
            return f"{agree(HOW_MUCH, kind, plural=True)} {many(kind)} ہیں؟"
        case AskRegion(kind):
            return f"{one(kind)} کہاں ہے؟"
        case AskExists(kind):
            return f"کیا تصویر میں کوئی {one(kind)} ہے؟"
        case AskSide(kind, side, other):
            return f"کیا {one(kind)} {oblique(other)} {SIDES[side]} ہے؟"
        case AskList(variant):
            return LISTS[variant]
        case AskDetail(variant):
            return DETAILS[variant]
        case AskMore(kind, other):
            return f"کیا {many(kind)} {many_oblique(other)} سے زیادہ ہیں؟"
        case AskLeft(kind):
            removed = f"ایک {one(kind)} ہٹا {agree(GIVEN, kind)} جائے"
            rest = f"{agree(HOW_MUCH, kind, plural=True)} {many(kind)}"
            return f"اگر {removed} تو {rest} {REMAINS[LEXICON.feminine(kind), True]}؟"
        case AskBox(kind):
            return f"{oblique(kind)} کا باؤنڈنگ باکس بتائیے۔"
        case AskWidth(kind):
            return f"{one(kind)} {agree(HOW_MUCH, kind)} {agree(WIDE, kind)} ہے؟"
        case AskLink(kind):
            return f"{many_oblique(kind)} کے بارے میں مزید کہاں پڑھا جا سکتا ہے؟"
    return None


def short_answer(message: Message) -> str | None:
    """A word or two; None where the message is no short answer."""
    match message:
        case ShortColour(colour, kind):
            return f"{LEXICON.agree(LEXICON.colours[colour], kind)}۔"
        case ShortShape(shape):
            return f"{LEXICON.counted(1, Kind(shape))}۔"
        case ShortSize(size, kind):
            return f"{LEXICON.agree(LEXICON.sizes[size], kind)}۔"
        case ShortCount(0):
            return "ایک بھی نہیں۔"
        case ShortCount(count):
            return f"{LEXICON.numbers[count - 1]}۔"
        case ShortRegion(region):
            return f"{REGIONS[region]}۔"
        case Yes():
            return "جی ہاں۔"
        case No():
            return "جی نہیں۔"
    return None


def statement(message: Message) -> str | None:
    """A whole sentence or a list; None where the message is neither."""
    agree, counted, listed = LEXICON.agree, LEXICON.counted, LEXICON.listed
    match message:
        case SayColour(kind, colour):
            return f"{one(kind)} {agree(LEXICON.colours[colour], kind)} ہے۔"
        case SayShape(kind, shape):
            return f"{one(kind)} {counted(1, Kind(shape))} ہے۔"
        case SaySize(kind, size):
            return f"{one(kind)} {agree(LEXICON.sizes[size], kind)} ہے۔"
        case SayThere(groups):
            return f"تصویر میں {listed(groups)} {are(sum(group.count for group in groups))}۔"
        case SayNone(kind):
            return f"تصویر میں کوئی {one(kind)} نہیں ہے۔"
        case SayTotal(count):
            return f"تصویر میں کل {counted(count, Kind())} نظر آتی {are(count)}۔"
        case SayRegion(kind, region):
            return f"{one(kind)} {REGIONS[region]} ہے۔"
        case SaySide(kind, side, other):
            return f"{one(kind)} {oblique(other)} {SIDES[side]} ہے۔"
        case SayBackground():
            return "پس منظر سفید ہے اور اس کے علاوہ کچھ بھی نظر نہیں آتا۔"
        case SayMore(group, other, more):
            compared = f"{many(group.kind)} {many_oblique(other.kind)} سے زیادہ"
            verdict = f"جی ہاں، {compared} ہیں" if more else f"جی نہیں، {compared} نہیں ہیں"
            return f"{verdict}: {listed((group, other))}۔"
        case SayLeft(kind, before):
            remains = REMAINS[LEXICON.feminine(kind), before > 2]
            rest = f"{counted(before - 1, kind)} {remains}"
            if before == 1:
                rest = f"کوئی {one(kind)} نہیں {remains}"
            return f"{counted(before, kind)} {are(before)}، اس لیے {rest}۔"
        case SayBox(kind, box):
            return f"{one(kind)} باکس {box} میں ہے۔"
        case SayWidth(kind, width_px):
            return f"{one(kind)} {width_px} px {agree(WIDE, kind)} ہے۔"
        case SayLink(kind, url):
            return f"آپ {many_oblique(kind)} کے بارے میں مزید یہاں پڑھ سکتے ہیں: {url} ۔"
        case SayList(groups):
            return "\n".join(f"- {counted(group.count, group.kind)}" for group in groups)
    return None


def are(count: int) -> str:
    """The copula for so many things."""
    return "ہیں" if count > 1 else "ہے"


def say(message: Message) -> str:
    """The message as one Urdu sentence, or as one list."""
    text = question(message) or short_answer(message) or statement(message)
    assert text is not None, f"no Urdu for {message!r}"
    return text
