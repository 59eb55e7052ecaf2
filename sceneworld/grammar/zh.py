"""Chinese (Simplified): the counter hangs on the noun, and two before a counter is 两."""

from sceneworld import messages as m
from sceneworld.grammar import Sentences, joined
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

SHAPES = {
    None: "物体",
    Shape.CIRCLE: "圆形",
    Shape.SQUARE: "正方形",
    Shape.TRIANGLE: "三角形",
    Shape.STAR: "星星",
    Shape.HEART: "爱心",
    Shape.CROSS: "十字",
}
COLOURS = {
    Colour.RED: "红色",
    Colour.BLUE: "蓝色",
    Colour.GREEN: "绿色",
    Colour.YELLOW: "黄色",
    Colour.ORANGE: "橙色",
    Colour.PURPLE: "紫色",
    Colour.BLACK: "黑色",
}
SIZES = {Size.SMALL: "小", Size.BIG: "大"}
# 二 is the number in counting; before a counter it is 两.
NUMBERS = ("", "一", "两", "三", "四", "五", "六")
SIDES = {Side.LEFT: "左边", Side.RIGHT: "右边", Side.ABOVE: "上方", Side.BELOW: "下方"}
REGIONS = {
    Region.TOP_LEFT: "左上角",
    Region.TOP_RIGHT: "右上角",
    Region.BOTTOM_LEFT: "左下角",
    Region.BOTTOM_RIGHT: "右下角",
}


def noun(kind: Kind) -> str:
    """The thing without a number: 红色圆形, 小圆形, 红色的小圆形."""
    shape = SHAPES[kind.shape]
    if kind.size is not None:
        shape = SIZES[kind.size] + shape
    if kind.colour is None:
        return shape
    link = "" if kind.size is None else "的"
    return COLOURS[kind.colour] + link + shape


def counter(kind: Kind) -> str:
    """Small, star-like things are counted with 颗, everything else with 个."""
    return "颗" if kind.shape in (Shape.STAR, Shape.HEART) else "个"


def counted(count: int, kind: Kind) -> str:
    """Number, counter and noun: 两颗红色星星."""
    return NUMBERS[count] + counter(kind) + noun(kind)


def listed(groups: tuple[Group, ...]) -> str:
    return joined([counted(group.count, group.kind) for group in groups], "、", "和")


def short_count(count: int, kind: Kind) -> str:
    return f"{NUMBERS[count]}{counter(kind)}。" if count else f"一{counter(kind)}也没有。"


def say_more(group: Group, other: Group, more: bool) -> str:
    start, than = ("是的", "比") if more else ("不是", "不比")
    return f"{start}，{noun(group.kind)}{than}{noun(other.kind)}多：{listed((group, other))}。"


def say_left(kind: Kind, before: int) -> str:
    rest = f"还剩{counted(before - 1, kind)}" if before > 1 else f"{counted(1, kind)}也不剩了"
    return f"有{counted(before, kind)}，所以{rest}。"


# 是不是 lets one Yes and one No answer all three yes-no questions.
SENTENCES: Sentences = {
    m.AskColour: lambda kind: f"{noun(kind)}是什么颜色的？",
    m.AskShape: lambda kind: f"{noun(kind)}是什么形状？",
    m.AskSize: lambda kind: f"{noun(kind)}是大的还是小的？",
    m.AskCount: lambda kind: f"有几{counter(kind)}{noun(kind)}？",
    m.AskRegion: lambda kind: f"{noun(kind)}在哪里？",
    m.AskExists: lambda kind: f"图片里是不是有{noun(kind)}？",
    m.AskSide: lambda kind, side, other: f"{noun(kind)}是不是在{noun(other)}{SIDES[side]}？",
    m.AskMore: lambda kind, other: f"{noun(kind)}是不是比{noun(other)}多？",
    m.AskList: ("你在图片里看到了什么？", "请列出图片里的所有物体。"),
    m.AskDetail: (
        "请描述下面的图像。",
        "请详细描述这张图片。",
        "这张图像里展示了什么？",
        "你能详细描述这张图片吗？",
    ),
    m.AskLeft: lambda kind: f"如果拿走{counted(1, kind)}，还剩几{counter(kind)}{noun(kind)}？",
    m.AskBox: lambda kind: f"请给出{noun(kind)}的边界框。",
    m.AskWidth: lambda kind: f"{noun(kind)}有多宽？",
    m.AskLink: lambda kind: f"在哪里可以读到更多关于{noun(kind)}的内容？",
    m.ShortColour: lambda colour, kind: f"{COLOURS[colour]}。",
    m.ShortShape: lambda shape: f"{SHAPES[shape]}。",
    m.ShortSize: lambda size, kind: f"{SIZES[size]}的。",
    m.ShortCount: short_count,
    m.ShortRegion: lambda region: f"在{REGIONS[region]}。",
    m.Yes: "是的。",
    m.No: "不是。",
    m.SayColour: lambda kind, colour: f"{noun(kind)}是{COLOURS[colour]}的。",
    m.SayShape: lambda kind, shape: f"{noun(kind)}是{counted(1, Kind(shape))}。",
    m.SaySize: lambda kind, size: f"{noun(kind)}是{SIZES[size]}的。",
    m.SayThere: lambda groups: f"图片里有{listed(groups)}。",
    m.SayNone: lambda kind: f"图片里没有{noun(kind)}。",
    m.SayTotal: lambda count: f"图片里一共有{counted(count, Kind())}。",
    m.SayRegion: lambda kind, region: f"{noun(kind)}在{REGIONS[region]}。",
    m.SaySide: lambda kind, side, other: f"{noun(kind)}在{noun(other)}{SIDES[side]}。",
    m.SayBackground: "背景是白色的，看不到其他东西。",
    m.SayMore: say_more,
    m.SayLeft: say_left,
    m.SayBox: lambda kind, box: f"{noun(kind)}位于框 {box} 内。",
    m.SayWidth: lambda kind, width_px: f"{noun(kind)}宽 {width_px} px。",
    m.SayLink: lambda kind, url: f"你可以在这里读到更多关于{noun(kind)}的内容： {url} 。",
    m.SayList: counted,
}
