"""Bengali: the classifier -ti marks number and definiteness; nouns take no gender or plural."""

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
    Group,
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

# The noun, and its genitive.
SHAPES = {
    None: ("বস্তু", "বস্তুর"),
    Shape.CIRCLE: ("বৃত্ত", "বৃত্তের"),
    Shape.SQUARE: ("বর্গক্ষেত্র", "বর্গক্ষেত্রের"),
    Shape.TRIANGLE: ("ত্রিভুজ", "ত্রিভুজের"),
    Shape.STAR: ("তারা", "তারার"),
    Shape.HEART: ("হার্ট", "হার্টের"),
    Shape.CROSS: ("ক্রস", "ক্রসের"),
}
COLOURS = {
    Colour.RED: "লাল",
    Colour.BLUE: "নীল",
    Colour.GREEN: "সবুজ",
    Colour.YELLOW: "হলুদ",
    Colour.ORANGE: "কমলা",
    Colour.PURPLE: "বেগুনি",
    Colour.BLACK: "কালো",
}
SIZES = {Size.SMALL: "ছোট", Size.BIG: "বড়"}
NUMBERS = ("", "একটি", "দুটি", "তিনটি", "চারটি", "পাঁচটি", "ছয়টি")
SIDES = {Side.LEFT: "বাঁ দিকে", Side.RIGHT: "ডান দিকে", Side.ABOVE: "উপরে", Side.BELOW: "নিচে"}
REGIONS = {
    Region.TOP_LEFT: "উপরের বাঁ কোণে",
    Region.TOP_RIGHT: "উপরের ডান কোণে",
    Region.BOTTOM_LEFT: "নিচের বাঁ কোণে",
    Region.BOTTOM_RIGHT: "নিচের ডান কোণে",
}
LISTS = ("আপনি ছবিতে কী দেখতে পাচ্ছেন?", "ছবিতে থাকা সব বস্তুর তালিকা দিন।")
DETAILS = (
    "নিচের ছবিটির বর্ণনা দিন।",
    "ছবিটির বিস্তারিত বর্ণনা দিন।",
    "এই ছবিতে কী দেখানো হয়েছে?",
    "আপনি কি ছবিটি বিস্তারিতভাবে বর্ণনা করতে পারেন?",
)


def adjectives(kind: Kind) -> str:
    """Size and colour with the space after each, or nothing."""
    size = f"{SIZES[kind.size]} " if kind.size else ""
    colour = f"{COLOURS[kind.colour]} " if kind.colour else ""
    return size + colour


def bare(kind: Kind) -> str:
    """The thing in general or after a number: লাল বৃত্ত."""
    return adjectives(kind) + SHAPES[kind.shape][0]


def genitive(kind: Kind) -> str:
    """Of such things in general: লাল বৃত্তের."""
    return adjectives(kind) + SHAPES[kind.shape][1]


def the(kind: Kind) -> str:
    """The one thing: লাল বৃত্তটি."""
    return f"{bare(kind)}টি"


def of_the(kind: Kind) -> str:
    """Of the one thing: লাল বৃত্তটির."""
    return f"{bare(kind)}টির"


def counted(count: int, kind: Kind) -> str:
    """Number with its classifier, and the thing: দুটি লাল বৃত্ত."""
    return f"{NUMBERS[count]} {bare(kind)}"


def listed(groups: tuple[Group, ...]) -> str:
    """Groups in one phrase: A, B and C."""
    *first, last = [counted(group.count, group.kind) for group in groups]
    return f"{', '.join(first)} এবং {last}" if first else last


def question(message: Message) -> str | None:
    """What a person asks; None where the message is no question."""
    match message:
        case AskColour(kind):
            return f"{the(kind)} কী রঙের?"
        case AskShape(kind):
            return f"{of_the(kind)} আকৃতি কী?"
        case AskSize(kind):
            return f"{the(kind)} বড় নাকি ছোট?"
        case AskCount(kind):
            return f"কয়টি {bare(kind)} আছে?"
        case AskRegion(kind):
            return f"{the(kind)} কোথায় আছে?"
        case AskExists(kind):
            return f"ছবিতে কি কোনো {bare(kind)} আছে?"
        case AskSide(kind, side, other):
            return f"{the(kind)} কি {of_the(other)} {SIDES[side]} আছে?"
        case AskList(variant):
            return LISTS[variant]
        case AskDetail(variant):
            return DETAILS[variant]
        case AskMore(kind, other):
            return f"{genitive(kind)} সংখ্যা কি {genitive(other)} সংখ্যার চেয়ে বেশি?"
        case AskLeft(kind):
            removed = f"{counted(1, kind)} সরিয়ে নিলে"
            return f"{removed} কয়টি {bare(kind)} বাকি থাকবে?"
        case AskBox(kind):
            return f"{of_the(kind)} বাউন্ডিং বক্স দিন।"
        case AskWidth(kind):
            return f"{the(kind)} কতটা চওড়া?"
        case AskLink(kind):
            return f"আমি {bare(kind)} সম্পর্কে আরও কোথায় পড়তে পারি?"
    return None


def short_answer(message: Message) -> str | None:
    """A word or two; None where the message is no short answer."""
    match message:
        case ShortColour(colour):
            return f"{COLOURS[colour]}।"
        case ShortShape(shape):
            return f"{counted(1, Kind(shape))}।"
        case ShortSize(size):
            return f"{SIZES[size]}।"
        case ShortCount(0):
            return "একটিও না।"
        case ShortCount(count):
            return f"{NUMBERS[count]}।"
        case ShortRegion(region):
            return f"{REGIONS[region]}।"
        case Yes():
            return "হ্যাঁ।"
        case No():
            return "না।"
    return None


def statement(message: Message) -> str | None:
    """A whole sentence or a list; None where the message is neither."""
    match message:
        case SayColour(kind, colour):
            return f"{the(kind)} {COLOURS[colour]}।"
        case SayShape(kind, shape):
            return f"{the(kind)} {counted(1, Kind(shape))}।"
        case SaySize(kind, size):
            return f"{the(kind)} {SIZES[size]}।"
        case SayThere(groups):
            return f"ছবিতে {listed(groups)} আছে।"
        case SayNone(kind):
            return f"ছবিতে কোনো {bare(kind)} নেই।"
        case SayTotal(count):
            return f"ছবিতে মোট {counted(count, Kind())} দেখা যাচ্ছে।"
        case SayRegion(kind, region):
            return f"{the(kind)} {REGIONS[region]} আছে।"
        case SaySide(kind, side, other):
            return f"{the(kind)} {of_the(other)} {SIDES[side]} আছে।"
        case SayBackground():
            return "পটভূমি সাদা এবং আর কিছু দেখা যাচ্ছে না।"
        case SayMore(group, other, more):
            compared = f"{genitive(group.kind)} সংখ্যা {genitive(other.kind)} সংখ্যার চেয়ে বেশি"
            verdict = f"হ্যাঁ, {compared}" if more else f"না, {compared} নয়"
            return f"{verdict}: {listed((group, other))}।"
        case SayLeft(kind, before):
            rest = f"{counted(before - 1, kind)} বাকি থাকবে"
            if before == 1:
                rest = f"কোনো {bare(kind)} বাকি থাকবে না"
            return f"{counted(before, kind)} আছে, তাই {rest}।"
        case SayBox(kind, box):
            return f"{the(kind)} {box} বক্সের মধ্যে আছে।"
        case SayWidth(kind, width_px):
            return f"{the(kind)} {width_px} px চওড়া।"
        case SayLink(kind, url):
            return f"আপনি {bare(kind)} সম্পর্কে আরও এখানে পড়তে পারেন: {url} ।"
        case SayList(groups):
            return "\n".join(f"- {counted(group.count, group.kind)}" for group in groups)
    return None


def say(message: Message) -> str:
    """The message as one Bengali sentence, or as one list."""
    text = question(message) or short_answer(message) or statement(message)
    assert text is not None, f"no Bengali for {message!r}"
    return text
