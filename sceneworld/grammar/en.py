"""English: the language that the source is written in."""

from functools import singledispatch

from sceneworld import messages as m

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
SIDES = {
    m.Side.LEFT: "to the left of",
    m.Side.RIGHT: "to the right of",
    m.Side.ABOVE: "above",
    m.Side.BELOW: "below",
}
LISTS = ("What do you see in the picture?", "List all the objects in the picture.")
DETAILS = (
    "Describe the following image.",
    "Give a detailed description of the picture.",
    "What is shown in this image?",
    "Can you describe the picture in detail?",
)


def bare(kind: m.Kind) -> str:
    """`big red circle`"""
    return " ".join(word for word in (kind.size, kind.colour, kind.shape or "object") if word)


def plural(kind: m.Kind) -> str:
    """`big red circles`"""
    return bare(kind) + ("es" if kind.shape == m.Shape.CROSS else "s")


def indefinite(kind: m.Kind) -> str:
    """`a big red circle`, `an orange star`"""
    name = bare(kind)
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def the(kind: m.Kind) -> str:
    """`the big red circle`"""
    return f"the {bare(kind)}"


def some(group: m.Group) -> str:
    """`a red circle`, `two red circles`"""
    if group.count == 1:
        return indefinite(group.kind)
    return f"{NUMBERS[group.count]} {plural(group.kind)}"


def counted(group: m.Group) -> str:
    """`one red circle`, `two red circles`, `no red circles`"""
    noun = bare(group.kind) if group.count == 1 else plural(group.kind)
    return f"{NUMBERS[group.count]} {noun}"


def corner(region: m.Region) -> str:
    """`in the top left corner`"""
    return f"in the {region} corner"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _row(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0]
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


@singledispatch
def say(message: m.Message) -> str:
    """Say one message in English."""
    raise TypeError(f"English cannot say {type(message).__name__}")


@say.register
def _(message: m.AskColour) -> str:
    return f"What colour is {the(message.kind)}?"


@say.register
def _(message: m.AskShape) -> str:
    return f"What shape is {the(message.kind)}?"


@say.register
def _(message: m.AskSize) -> str:
    return f"Is {the(message.kind)} big or small?"


@say.register
def _(message: m.AskCount) -> str:
    return f"How many {plural(message.kind)} are there?"


@say.register
def _(message: m.AskRegion) -> str:
    return f"Where is {the(message.kind)}?"


@say.register
def _(message: m.AskExists) -> str:
    return f"Is there {indefinite(message.kind)} in the picture?"


@say.register
def _(message: m.AskSide) -> str:
    return f"Is {the(message.kind)} {SIDES[message.side]} {the(message.other)}?"


@say.register
def _(message: m.AskList) -> str:
    return LISTS[message.variant]


@say.register
def _(message: m.AskDetail) -> str:
    return DETAILS[message.variant]


@say.register
def _(message: m.AskMore) -> str:
    return f"Are there more {plural(message.kind)} than {plural(message.other)}?"


@say.register
def _(message: m.AskLeft) -> str:
    name = bare(message.kind)
    return f"If one {name} is removed, how many {plural(message.kind)} are left?"


@say.register
def _(message: m.AskBox) -> str:
    return f"Give the bounding box of {the(message.kind)}."


@say.register
def _(message: m.AskWidth) -> str:
    return f"How wide is {the(message.kind)}?"


@say.register
def _(message: m.AskLink) -> str:
    return f"Where can I read more about {plural(message.kind)}?"


@say.register
def _(message: m.ShortColour) -> str:
    return f"{_upper(message.colour)}."


@say.register
def _(message: m.ShortShape) -> str:
    return f"A {message.shape}."


@say.register
def _(message: m.ShortSize) -> str:
    return f"{_upper(message.size)}."


@say.register
def _(message: m.ShortCount) -> str:
    return f"{_upper(NUMBERS[message.count])}." if message.count else "None."


@say.register
def _(message: m.ShortRegion) -> str:
    return f"{_upper(corner(message.region))}."


@say.register
def _(message: m.Yes) -> str:
    return "Yes."


@say.register
def _(message: m.No) -> str:
    return "No."


@say.register
def _(message: m.SayColour) -> str:
    return f"{_upper(the(message.kind))} is {message.colour}."


@say.register
def _(message: m.SayShape) -> str:
    return f"{_upper(the(message.kind))} is a {message.shape}."


@say.register
def _(message: m.SaySize) -> str:
    return f"{_upper(the(message.kind))} is {message.size}."


@say.register
def _(message: m.SayThere) -> str:
    things = _row([some(group) for group in message.groups])
    return f"There {_are(message.groups[0].count)} {things} in the picture."


@say.register
def _(message: m.SayNone) -> str:
    return f"There are no {plural(message.kind)} in the picture."


@say.register
def _(message: m.SayTotal) -> str:
    return f"The picture shows {counted(m.Group(message.count, m.Kind()))} in total."


@say.register
def _(message: m.SayRegion) -> str:
    return f"{_upper(the(message.kind))} is {corner(message.region)}."


@say.register
def _(message: m.SaySide) -> str:
    return f"{_upper(the(message.kind))} is {SIDES[message.side]} {the(message.other)}."


@say.register
def _(message: m.SayBackground) -> str:
    return "The background is white and nothing else can be seen."


@say.register
def _(message: m.SayMore) -> str:
    plurals = f"{plural(message.group.kind)} than {plural(message.other.kind)}"
    counts = f"{counted(message.group)} and {counted(message.other)}"
    answer = "Yes, there are" if message.more else "No, there are not"
    return f"{answer} more {plurals}: {counts}."


@say.register
def _(message: m.SayLeft) -> str:
    before = m.Group(message.before, message.kind)
    after = m.Group(message.before - 1, message.kind)
    return (
        f"There {_are(before.count)} {counted(before)}, "
        f"so {counted(after)} {_are(after.count)} left."
    )


@say.register
def _(message: m.SayBox) -> str:
    return f"{_upper(the(message.kind))} is in the box {message.box}."


@say.register
def _(message: m.SayWidth) -> str:
    return f"{_upper(the(message.kind))} is {message.width_px} px wide."


@say.register
def _(message: m.SayLink) -> str:
    return f"You can read more about {plural(message.kind)} at {message.url} ."


@say.register
def _(message: m.SayList) -> str:
    return "\n".join(f"- {some(group)}" for group in message.groups)
