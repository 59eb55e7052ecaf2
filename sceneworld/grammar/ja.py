"""Japanese: polite style, the native counters (一つ, 二つ), adjectives that end in い or の."""

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

SHAPES = {
    None: "物体",
    Shape.CIRCLE: "円",
    Shape.SQUARE: "正方形",
    Shape.TRIANGLE: "三角形",
    Shape.STAR: "星",
    Shape.HEART: "ハート",
    Shape.CROSS: "十字",
}
# Before a noun, and as the predicate's noun.
COLOURS = {
    Colour.RED: ("赤い", "赤"),
    Colour.BLUE: ("青い", "青"),
    Colour.GREEN: ("緑の", "緑"),
    Colour.YELLOW: ("黄色い", "黄色"),
    Colour.ORANGE: ("オレンジ色の", "オレンジ色"),
    Colour.PURPLE: ("紫の", "紫"),
    Colour.BLACK: ("黒い", "黒"),
}
# The forms in na stack with a colour, where two adjectives in i would not (小さな赤い円).
SIZES = {Size.SMALL: ("小さな", "小さい"), Size.BIG: ("大きな", "大きい")}
NUMBERS = ("", "一つ", "二つ", "三つ", "四つ", "五つ", "六つ")
SIDES = {Side.LEFT: "左", Side.RIGHT: "右", Side.ABOVE: "上", Side.BELOW: "下"}
REGIONS = {
    Region.TOP_LEFT: "左上の隅",
    Region.TOP_RIGHT: "右上の隅",
    Region.BOTTOM_LEFT: "左下の隅",
    Region.BOTTOM_RIGHT: "右下の隅",
}
LISTS = ("画像には何が見えますか？", "画像にある物体をすべて挙げてください。")
DETAILS = (
    "次の画像について説明してください。",
    "画像を詳しく説明してください。",
    "この画像には何が描かれていますか？",
    "画像を詳しく説明していただけますか？",
)


def noun(kind: Kind) -> str:
    """The thing without a number: 小さな赤い円."""
    size = SIZES[kind.size][0] if kind.size else ""
    colour = COLOURS[kind.colour][0] if kind.colour else ""
    return size + colour + SHAPES[kind.shape]


def counted(count: int, kind: Kind) -> str:
    """Noun and number as subject: 赤い円が二つ."""
    return f"{noun(kind)}が{NUMBERS[count]}"


def listed(groups: tuple[Group, ...]) -> str:
    """Groups in one phrase: two are joined with と, more with commas."""
    phrases = [counted(group.count, group.kind) for group in groups]
    return ("と" if len(phrases) == 2 else "、").join(phrases)


def question(message: Message) -> str | None:
    """What a person asks; None where the message is no question."""
    match message:
        case AskColour(kind):
            return f"{noun(kind)}は何色ですか？"
        case AskShape(kind):
            return f"{noun(kind)}は何の形ですか？"
        case AskSize(kind):
            return f"{noun(kind)}は大きいですか、それとも小さいですか？"
        case AskCount(kind):
            return f"{noun(kind)}はいくつありますか？"
        case AskRegion(kind):
            return f"{noun(kind)}はどこにありますか？"
        case AskExists(kind):
            return f"画像に{noun(kind)}はありますか？"
        case AskSide(kind, side, other):
            return f"{noun(kind)}は{noun(other)}の{SIDES[side]}にありますか？"
        case AskMore(kind, other):
            return f"{noun(kind)}のほうが{noun(other)}より多いですか？"
        case AskList(variant):
            return LISTS[variant]
        case AskDetail(variant):
            return DETAILS[variant]
        case AskLeft(kind):
            return f"{noun(kind)}を一つ取り除くと、{noun(kind)}はいくつ残りますか？"
        case AskBox(kind):
            return f"{noun(kind)}のバウンディングボックスを示してください。"
        case AskWidth(kind):
            return f"{noun(kind)}の幅はどのくらいですか？"
        case AskLink(kind):
            return f"{noun(kind)}については、どこでさらに詳しく読むことができますか？"
    return None


def short_answer(message: Message) -> str | None:
    """A word or two; None where the message is no short answer."""
    match message:
        case ShortColour(colour):
            return f"{COLOURS[colour][1]}です。"
        case ShortShape(shape):
            return f"{SHAPES[shape]}です。"
        case ShortSize(size):
            return f"{SIZES[size][1]}です。"
        case ShortCount(0):
            return "一つもありません。"
        case ShortCount(count):
            return f"{NUMBERS[count]}です。"
        case ShortRegion(region):
            return f"{REGIONS[region]}です。"
        case Yes():
            return "はい。"
        case No():
            return "いいえ。"
    return None


def statement(message: Message) -> str | None:
    """A whole sentence or a list; None where the message is neither."""
    match message:
        case SayColour(kind, colour):
            return f"{noun(kind)}は{COLOURS[colour][1]}です。"
        case SayShape(kind, shape):
            return f"{noun(kind)}は{SHAPES[shape]}です。"
        case SaySize(kind, size):
            return f"{noun(kind)}は{SIZES[size][1]}です。"
        case SayThere(groups):
            return f"画像には{listed(groups)}あります。"
        case SayNone(kind):
            return f"画像に{noun(kind)}はありません。"
        case SayTotal(count):
            return f"画像には物体が全部で{NUMBERS[count]}あります。"
        case SayRegion(kind, region):
            return f"{noun(kind)}は{REGIONS[region]}にあります。"
        case SaySide(kind, side, other):
            return f"{noun(kind)}は{noun(other)}の{SIDES[side]}にあります。"
        case SayBackground():
            return "背景は白で、ほかには何も見えません。"
        case SayMore(group, other, more):
            counts = f"{counted(group.count, group.kind)}、{counted(other.count, other.kind)}なので"
            compared = f"{noun(group.kind)}のほうが{noun(other.kind)}より多い"
            if more:
                return f"はい、{counts}、{compared}です。"
            return f"いいえ、{counts}、{compared}わけではありません。"
        case SayLeft(kind, before):
            rest = f"は{NUMBERS[before - 1]}です" if before > 1 else "はありません"
            return f"{noun(kind)}は{NUMBERS[before]}なので、残る{noun(kind)}{rest}。"
        case SayBox(kind, box):
            return f"{noun(kind)}はボックス {box} の中にあります。"
        case SayWidth(kind, width_px):
            return f"{noun(kind)}の幅は {width_px} px です。"
        case SayLink(kind, url):
            return f"{noun(kind)}については、こちらでさらに詳しく読むことができます： {url} 。"
        case SayList(groups):
            return "\n".join(f"- {counted(group.count, group.kind)}" for group in groups)
    return None


def say(message: Message) -> str:
    """The message as one polite Japanese sentence, or as one list."""
    text = question(message) or short_answer(message) or statement(message)
    assert text is not None, f"no Japanese for {message!r}"
    return text
