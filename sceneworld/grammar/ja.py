"""Japanese: polite style, the native counters (一つ, 二つ), adjectives that end in い or の."""

from sceneworld import messages as m
from sceneworld.grammar import Sentences
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

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


def noun(kind: Kind) -> str:
    """The thing without a number: 小さな赤い円."""
    size = SIZES[kind.size][0] if kind.size else ""
    colour = COLOURS[kind.colour][0] if kind.colour else ""
    return size + colour + SHAPES[kind.shape]


def counted(count: int, kind: Kind) -> str:
    """Noun and number as subject: 赤い円が二つ."""
    return f"{noun(kind)}が{NUMBERS[count]}"


def there(groups: tuple[Group, ...]) -> str:
    """Two groups are joined with と, more with commas."""
    phrases = [counted(group.count, group.kind) for group in groups]
    return f"画像には{('と' if len(phrases) == 2 else '、').join(phrases)}あります。"


def say_more(group: Group, other: Group, more: bool) -> str:
    counts = f"{counted(group.count, group.kind)}、{counted(other.count, other.kind)}なので"
    start, end = ("はい", "です") if more else ("いいえ", "わけではありません")
    return f"{start}、{counts}、{noun(group.kind)}のほうが{noun(other.kind)}より多い{end}。"


def say_left(kind: Kind, before: int) -> str:
    rest = f"は{NUMBERS[before - 1]}です" if before > 1 else "はありません"
    return f"{noun(kind)}は{NUMBERS[before]}なので、残る{noun(kind)}{rest}。"


SENTENCES: Sentences = {
    m.AskColour: lambda kind: f"{noun(kind)}は何色ですか？",
    m.AskShape: lambda kind: f"{noun(kind)}は何の形ですか？",
    m.AskSize: lambda kind: f"{noun(kind)}は大きいですか、それとも小さいですか？",
    m.AskCount: lambda kind: f"{noun(kind)}はいくつありますか？",
    m.AskRegion: lambda kind: f"{noun(kind)}はどこにありますか？",
    m.AskExists: lambda kind: f"画像に{noun(kind)}はありますか？",
    m.AskSide: lambda kind, side, other: (
        f"{noun(kind)}は{noun(other)}の{SIDES[side]}にありますか？"
    ),
    m.AskMore: lambda kind, other: f"{noun(kind)}のほうが{noun(other)}より多いですか？",
    m.AskList: ("画像には何が見えますか？", "画像にある物体をすべて挙げてください。"),
    m.AskDetail: (
        "次の画像について説明してください。",
        "画像を詳しく説明してください。",
        "この画像には何が描かれていますか？",
        "画像を詳しく説明していただけますか？",
    ),
    m.AskLeft: lambda kind: f"{noun(kind)}を一つ取り除くと、{noun(kind)}はいくつ残りますか？",
    m.AskBox: lambda kind: f"{noun(kind)}のバウンディングボックスを示してください。",
    m.AskWidth: lambda kind: f"{noun(kind)}の幅はどのくらいですか？",
    m.AskLink: lambda kind: f"{noun(kind)}については、どこでさらに詳しく読むことができますか？",
    m.ShortColour: lambda colour, kind: f"{COLOURS[colour][1]}です。",
    m.ShortShape: lambda shape: f"{SHAPES[shape]}です。",
    m.ShortSize: lambda size, kind: f"{SIZES[size][1]}です。",
    m.ShortCount: lambda count, kind: f"{NUMBERS[count]}です。" if count else "一つもありません。",
    m.ShortRegion: lambda region: f"{REGIONS[region]}です。",
    m.Yes: "はい。",
    m.No: "いいえ。",
    m.SayColour: lambda kind, colour: f"{noun(kind)}は{COLOURS[colour][1]}です。",
    m.SayShape: lambda kind, shape: f"{noun(kind)}は{SHAPES[shape]}です。",
    m.SaySize: lambda kind, size: f"{noun(kind)}は{SIZES[size][1]}です。",
    m.SayThere: there,
    m.SayNone: lambda kind: f"画像に{noun(kind)}はありません。",
    m.SayTotal: lambda count: f"画像には物体が全部で{NUMBERS[count]}あります。",
    m.SayRegion: lambda kind, region: f"{noun(kind)}は{REGIONS[region]}にあります。",
    m.SaySide: lambda kind, side, other: f"{noun(kind)}は{noun(other)}の{SIDES[side]}にあります。",
    m.SayBackground: "背景は白で、ほかには何も見えません。",
    m.SayMore: say_more,
    m.SayLeft: say_left,
    m.SayBox: lambda kind, box: f"{noun(kind)}はボックス {box} の中にあります。",
    m.SayWidth: lambda kind, width_px: f"{noun(kind)}の幅は {width_px} px です。",
    m.SayLink: lambda kind, url: (
        f"{noun(kind)}については、こちらでさらに詳しく読むことができます： {url} 。"
    ),
    m.SayList: counted,
}
