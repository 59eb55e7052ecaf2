"""Chinese (Simplified): the counter hangs on the noun, and two before a counter is 两."""

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
    Shape.CIRCLE: "圆形",
    Shape.SQUARE: "正方形",
    Shape.TRIANGLE: "三角形",
    Shape.STAR: "星星",
    Shape.HEART: "爱心",
    Shape.CROSS: "十字",
}
# Small, star-like things are counted with 颗, everything else with 个.
COUNTERS = {Shape.STAR: "颗", Shape.HEART: "颗"}
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
LISTS = ("你在图片里看到了什么？", "请列出图片里的所有物体。")
DETAILS = (
    "请描述下面的图像。",
    "请详细描述这张图片。",
    "这张图像里展示了什么？",
    "你能详细描述这张图片吗？",
)


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
    """The counter of a kind."""
    return COUNTERS.get(kind.shape, "个") if kind.shape else "个"


def counted(count: int, kind: Kind) -> str:
    """Number, counter and noun: 两颗红色星星."""
    return NUMBERS[count] + counter(kind) + noun(kind)


def listed(groups: tuple[Group, ...]) -> str:
    """Groups in one phrase: A、B和C."""
    *first, last = [counted(group.count, group.kind) for group in groups]
    return "和".join(["、".join(first), last]) if first else last


def question(message: Message) -> str | None:
    """What a person asks; None where the message is no question."""
    match message:
        case AskColour(kind):
            return f"{noun(kind)}是什么颜色的？"
        case AskShape(kind):
            return f"{noun(kind)}是什么形状？"
        case AskSize(kind):
            return f"{noun(kind)}是大的还是小的？"
        case AskCount(kind):
            return f"有几{counter(kind)}{noun(kind)}？"
        case AskRegion(kind):
            return f"{noun(kind)}在哪里？"
        # 是不是 lets one Yes and one No answer all three yes-no questions.
        case AskExists(kind):
            return f"图片里是不是有{noun(kind)}？"
        case AskSide(kind, side, other):
            return f"{noun(kind)}是不是在{noun(other)}{SIDES[side]}？"
        case AskMore(kind, other):
            return f"{noun(kind)}是不是比{noun(other)}多？"
        case AskList(variant):
            return LISTS[variant]
        case AskDetail(variant):
            return DETAILS[variant]
        case AskLeft(kind):
            return f"如果拿走{counted(1, kind)}，还剩几{counter(kind)}{noun(kind)}？"
        case AskBox(kind):
            return f"请给出{noun(kind)}的边界框。"
        case AskWidth(kind):
            return f"{noun(kind)}有多宽？"
        case AskLink(kind):
            return f"在哪里可以读到更多关于{noun(kind)}的内容？"
    return None


def short_answer(message: Message) -> str | None:
    """A word or two; None where the message is no short answer."""
    match message:
        case ShortColour(colour):
            return f"{COLOURS[colour]}。"
        case ShortShape(shape):
            return f"{noun(Kind(shape))}。"
        case ShortSize(size):
            return f"{SIZES[size]}的。"
        case ShortCount(0, kind):
            return f"一{counter(kind)}也没有。"
        case ShortCount(count, kind):
            return f"{NUMBERS[count]}{counter(kind)}。"
        case ShortRegion(region):
            return f"在{REGIONS[region]}。"
        case Yes():
            return "是的。"
        case No():
            return "不是。"
    return None


def statement(message: Message) -> str | None:
    """A whole sentence or a list; None where the message is neither."""
    match message:
        case SayColour(kind, colour):
            return f"{noun(kind)}是{COLOURS[colour]}的。"
        case SayShape(kind, shape):
            return f"{noun(kind)}是{counted(1, Kind(shape))}。"
        case SaySize(kind, size):
            return f"{noun(kind)}是{SIZES[size]}的。"
        case SayThere(groups):
            return f"图片里有{listed(groups)}。"
        case SayNone(kind):
            return f"图片里没有{noun(kind)}。"
        case SayTotal(count):
            return f"图片里一共有{counted(count, Kind())}。"
        case SayRegion(kind, region):
            return f"{noun(kind)}在{REGIONS[region]}。"
        case SaySide(kind, side, other):
            return f"{noun(kind)}在{noun(other)}{SIDES[side]}。"
        case SayBackground():
            return "背景是白色的，看不到其他东西。"
        case SayMore(group, other, more):
            start, than = ("是的", "比") if more else ("不是", "不比")
            counts = listed((group, other))
            return f"{start}，{noun(group.kind)}{than}{noun(other.kind)}多：{counts}。"
        case SayLeft(kind, before):
            rest = f"还剩{counted(before - 1, kind)}"
            if before == 1:
                rest = f"{counted(1, kind)}也不剩了"
            return f"有{counted(before, kind)}，所以{rest}。"
        case SayBox(kind, box):
            return f"{noun(kind)}位于框 {box} 内。"
        case SayWidth(kind, width_px):
            return f"{noun(kind)}宽 {width_px} px。"
        case SayLink(kind, url):
            return f"你可以在这里读到更多关于{noun(kind)}的内容： {url} 。"
        case SayList(groups):
            return "\n".join(f"- {counted(group.count, group.kind)}" for group in groups)
    return None


def say(message: Message) -> str:
    """The message as one Chinese sentence, or as one list."""
    text = question(message) or short_answer(message) or statement(message)
    assert text is not None, f"no Chinese for {message!r}"
    return text
