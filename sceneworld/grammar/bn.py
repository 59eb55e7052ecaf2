"""Bengali: the classifier -ti marks number and definiteness; nouns take no gender or plural."""

from sceneworld import messages as m
from sceneworld.grammar import Sentences, joined
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

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


def bare(kind: Kind, genitive: bool = False) -> str:
    """Things in general or after a number: লাল বৃত্ত; their genitive: লাল বৃত্তের."""
    size = f"{SIZES[kind.size]} " if kind.size else ""
    colour = f"{COLOURS[kind.colour]} " if kind.colour else ""
    return size + colour + SHAPES[kind.shape][genitive]


def genitive(kind: Kind) -> str:
    return bare(kind, genitive=True)


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
    return joined([counted(group.count, group.kind) for group in groups], ", ", " এবং ")


def say_more(group: Group, other: Group, more: bool) -> str:
    compared = f"{genitive(group.kind)} সংখ্যা {genitive(other.kind)} সংখ্যার চেয়ে বেশি"
    verdict = f"হ্যাঁ, {compared}" if more else f"না, {compared} নয়"
    return f"{verdict}: {listed((group, other))}।"


def say_left(kind: Kind, before: int) -> str:
    rest = f"{counted(before - 1, kind)} বাকি থাকবে"
    if before == 1:
        rest = f"কোনো {bare(kind)} বাকি থাকবে না"
    return f"{counted(before, kind)} আছে, তাই {rest}।"


SENTENCES: Sentences = {
    m.AskColour: lambda kind: f"{the(kind)} কী রঙের?",
    m.AskShape: lambda kind: f"{of_the(kind)} আকৃতি কী?",
    m.AskSize: lambda kind: f"{the(kind)} বড় নাকি ছোট?",
    m.AskCount: lambda kind: f"কয়টি {bare(kind)} আছে?",
    m.AskRegion: lambda kind: f"{the(kind)} কোথায় আছে?",
    m.AskExists: lambda kind: f"ছবিতে কি কোনো {bare(kind)} আছে?",
    m.AskSide: lambda kind, side, other: f"{the(kind)} কি {of_the(other)} {SIDES[side]} আছে?",
    m.AskList: ("আপনি ছবিতে কী দেখতে পাচ্ছেন?", "ছবিতে থাকা সব বস্তুর তালিকা দিন।"),
    m.AskDetail: (
        "নিচের ছবিটির বর্ণনা দিন।",
        "ছবিটির বিস্তারিত বর্ণনা দিন।",
        "এই ছবিতে কী দেখানো হয়েছে?",
        "আপনি কি ছবিটি বিস্তারিতভাবে বর্ণনা করতে পারেন?",
    ),
    m.AskMore: lambda kind, other: f"{genitive(kind)} সংখ্যা কি {genitive(other)} সংখ্যার চেয়ে বেশি?",
    m.AskLeft: lambda kind: f"{counted(1, kind)} সরিয়ে নিলে কয়টি {bare(kind)} বাকি থাকবে?",
    m.AskBox: lambda kind: f"{of_the(kind)} বাউন্ডিং বক্স দিন।",
    m.AskWidth: lambda kind: f"{the(kind)} কতটা চওড়া?",
    m.AskLink: lambda kind: f"আমি {bare(kind)} সম্পর্কে আরও কোথায় পড়তে পারি?",
    m.ShortColour: lambda colour, kind: f"{COLOURS[colour]}।",
    m.ShortShape: lambda shape: f"{counted(1, Kind(shape))}।",
    m.ShortSize: lambda size, kind: f"{SIZES[size]}।",
    m.ShortCount: lambda count, kind: f"{NUMBERS[count]}।" if count else "একটিও না।",
    m.ShortRegion: lambda region: f"{REGIONS[region]}।",
    m.Yes: "হ্যাঁ।",
    m.No: "না।",
    m.SayColour: lambda kind, colour: f"{the(kind)} {COLOURS[colour]}।",
    m.SayShape: lambda kind, shape: f"{the(kind)} {counted(1, Kind(shape))}।",
    m.SaySize: lambda kind, size: f"{the(kind)} {SIZES[size]}।",
    m.SayThere: lambda groups: f"ছবিতে {listed(groups)} আছে।",
    m.SayNone: lambda kind: f"ছবিতে কোনো {bare(kind)} নেই।",
    m.SayTotal: lambda count: f"ছবিতে মোট {counted(count, Kind())} দেখা যাচ্ছে।",
    m.SayRegion: lambda kind, region: f"{the(kind)} {REGIONS[region]} আছে।",
    m.SaySide: lambda kind, side, other: f"{the(kind)} {of_the(other)} {SIDES[side]} আছে।",
    m.SayBackground: "পটভূমি সাদা এবং আর কিছু দেখা যাচ্ছে না।",
    m.SayMore: say_more,
    m.SayLeft: say_left,
    m.SayBox: lambda kind, box: f"{the(kind)} {box} বক্সের মধ্যে আছে।",
    m.SayWidth: lambda kind, width_px: f"{the(kind)} {width_px} px চওড়া।",
    m.SayLink: lambda kind, url: f"আপনি {bare(kind)} সম্পর্কে আরও এখানে পড়তে পারেন: {url} ।",
    m.SayList: counted,
}
