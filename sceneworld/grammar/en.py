"""English: the language that the source is written in."""

from sceneworld import messages as m
from sceneworld.grammar import Sentences, joined
from sceneworld.messages import Group, Kind, Shape, Side

NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
SIDES = {
    Side.LEFT: "to the left of",
    Side.RIGHT: "to the right of",
    Side.ABOVE: "above",
    Side.BELOW: "below",
}


def bare(kind: Kind) -> str:
    """`big red circle`"""
    return " ".join(word for word in (kind.size, kind.colour, kind.shape or "object") if word)


def plural(kind: Kind) -> str:
    return bare(kind) + ("es" if kind.shape == Shape.CROSS else "s")


def indefinite(kind: Kind) -> str:
    """`a big red circle`, `an orange star`"""
    name = bare(kind)
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def some(count: int, kind: Kind) -> str:
    """`a red circle`, `two red circles`"""
    return indefinite(kind) if count == 1 else counted(count, kind)


def counted(count: int, kind: Kind) -> str:
    """`one red circle`, `two red circles`, `no red circles`"""
    return f"{NUMBERS[count]} {bare(kind) if count == 1 else plural(kind)}"


def are(count: int) -> str:
    return "is" if count == 1 else "are"


def corner(region: m.Region) -> str:
    return f"in the {region} corner"


def there(groups: tuple[Group, ...]) -> str:
    things = joined([some(group.count, group.kind) for group in groups], ", ", " and ")
    return f"There {are(groups[0].count)} {things} in the picture."


def more(group: Group, other: Group, more: bool) -> str:
    answer = "Yes, there are" if more else "No, there are not"
    counts = f"{counted(group.count, group.kind)} and {counted(other.count, other.kind)}"
    return f"{answer} more {plural(group.kind)} than {plural(other.kind)}: {counts}."


def left(kind: Kind, before: int) -> str:
    after = before - 1
    return (
        f"There {are(before)} {counted(before, kind)}, so {counted(after, kind)} {are(after)} left."
    )


SENTENCES: Sentences = {
    m.AskColour: lambda kind: f"What colour is the {bare(kind)}?",
    m.AskShape: lambda kind: f"What shape is the {bare(kind)}?",
    m.AskSize: lambda kind: f"Is the {bare(kind)} big or small?",
    m.AskCount: lambda kind: f"How many {plural(kind)} are there?",
    m.AskRegion: lambda kind: f"Where is the {bare(kind)}?",
    m.AskExists: lambda kind: f"Is there {indefinite(kind)} in the picture?",
    m.AskSide: lambda kind, side, other: f"Is the {bare(kind)} {SIDES[side]} the {bare(other)}?",
    m.AskList: ("What do you see in the picture?", "List all the objects in the picture."),
    m.AskDetail: (
        "Describe the following image.",
        "Give a detailed description of the picture.",
        "What is shown in this image?",
        "Can you describe the picture in detail?",
    ),
    m.AskMore: lambda kind, other: f"Are there more {plural(kind)} than {plural(other)}?",
    m.AskLeft: lambda kind: f"If one {bare(kind)} is removed, how many {plural(kind)} are left?",
    m.AskBox: lambda kind: f"Give the bounding box of the {bare(kind)}.",
    m.AskWidth: lambda kind: f"How wide is the {bare(kind)}?",
    m.AskLink: lambda kind: f"Where can I read more about {plural(kind)}?",
    m.ShortColour: lambda colour, kind: f"{colour}.",
    m.ShortShape: lambda shape: f"A {shape}.",
    m.ShortSize: lambda size, kind: f"{size}.",
    m.ShortCount: lambda count, kind: f"{NUMBERS[count]}." if count else "none.",
    m.ShortRegion: lambda region: f"{corner(region)}.",
    m.Yes: "Yes.",
    m.No: "No.",
    m.SayColour: lambda kind, colour: f"The {bare(kind)} is {colour}.",
    m.SayShape: lambda kind, shape: f"The {bare(kind)} is a {shape}.",
    m.SaySize: lambda kind, size: f"The {bare(kind)} is {size}.",
    m.SayThere: there,
    m.SayNone: lambda kind: f"There are no {plural(kind)} in the picture.",
    m.SayTotal: lambda count: f"The picture shows {counted(count, Kind())} in total.",
    m.SayRegion: lambda kind, region: f"The {bare(kind)} is {corner(region)}.",
    m.SaySide: lambda kind, side, other: f"The {bare(kind)} is {SIDES[side]} the {bare(other)}.",
    m.SayBackground: "The background is white and nothing else can be seen.",
    m.SayMore: more,
    m.SayLeft: left,
    m.SayBox: lambda kind, box: f"The {bare(kind)} is in the box {box}.",
    m.SayWidth: lambda kind, width_px: f"The {bare(kind)} is {width_px} px wide.",
    m.SayLink: lambda kind, url: f"You can read more about {plural(kind)} at {url} .",
    m.SayList: some,
}
