"""What can be said about a scene, before any language says it.

A turn of a conversation is a tuple of messages; a grammar (`sceneworld/grammar/<lang>.py`) turns
each message into a sentence. Because all ten languages start from the same message, a translation
is exact by construction.
"""

from dataclasses import dataclass

from sceneworld.kinds import Colour as Colour
from sceneworld.kinds import Group as Group
from sceneworld.kinds import Kind as Kind
from sceneworld.kinds import Region as Region
from sceneworld.kinds import Shape as Shape
from sceneworld.kinds import Side as Side
from sceneworld.kinds import Size as Size


class Message:
    """Base of everything a grammar can say; one message is one sentence (or one list)."""


# Questions ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AskColour(Message):
    """What colour is the small circle?  (the kind has a shape, maybe a size, no colour)"""

    kind: Kind


@dataclass(frozen=True)
class AskShape(Message):
    """What shape is the red object?  (the kind has a colour, maybe a size, no shape)"""

    kind: Kind


@dataclass(frozen=True)
class AskSize(Message):
    """Is the red circle big or small?"""

    kind: Kind


@dataclass(frozen=True)
class AskCount(Message):
    """How many red circles are there?  (shape None: How many red objects are there?)"""

    kind: Kind


@dataclass(frozen=True)
class AskRegion(Message):
    """Where is the red circle?"""

    kind: Kind


@dataclass(frozen=True)
class AskExists(Message):
    """Is there a red circle in the picture?"""

    kind: Kind


@dataclass(frozen=True)
class AskSide(Message):
    """Is the red circle to the left of the blue square?"""

    kind: Kind
    side: Side
    other: Kind


@dataclass(frozen=True)
class AskList(Message):
    """0: What do you see in the picture?  1: List all the objects in the picture."""

    variant: int = 0


@dataclass(frozen=True)
class AskDetail(Message):
    """Fixed prompts, repeated all over the source, as LLaVA's are.

    0 Describe the following image.  1 Give a detailed description of the picture.
    2 What is shown in this image?  3 Can you describe the picture in detail?
    """

    variant: int = 0


@dataclass(frozen=True)
class AskMore(Message):
    """Are there more circles than squares?  (both kinds plural)"""

    kind: Kind
    other: Kind


@dataclass(frozen=True)
class AskLeft(Message):
    """If one red circle is removed, how many red circles are left?"""

    kind: Kind


@dataclass(frozen=True)
class AskBox(Message):
    """Give the bounding box of the red circle."""

    kind: Kind


@dataclass(frozen=True)
class AskWidth(Message):
    """How wide is the red circle?"""

    kind: Kind


@dataclass(frozen=True)
class AskLink(Message):
    """Where can I read more about circles?"""

    kind: Kind


# Short answers --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ShortColour(Message):
    """Red.  (agrees with the kind that was asked about)"""

    colour: Colour
    kind: Kind


@dataclass(frozen=True)
class ShortShape(Message):
    """A circle."""

    shape: Shape


@dataclass(frozen=True)
class ShortSize(Message):
    """Big.  (agrees with the kind)"""

    size: Size
    kind: Kind


@dataclass(frozen=True)
class ShortCount(Message):
    """Two.  (agrees with the kind; 0 is "None.")"""

    count: int
    kind: Kind


@dataclass(frozen=True)
class ShortRegion(Message):
    """In the top left corner."""

    region: Region


@dataclass(frozen=True)
class Yes(Message):
    """Yes."""


@dataclass(frozen=True)
class No(Message):
    """No."""


# Sentences ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SayColour(Message):
    """The small circle is red."""

    kind: Kind
    colour: Colour


@dataclass(frozen=True)
class SayShape(Message):
    """The red object is a circle."""

    kind: Kind
    shape: Shape


@dataclass(frozen=True)
class SaySize(Message):
    """The red circle is big."""

    kind: Kind
    size: Size


@dataclass(frozen=True)
class SayThere(Message):
    """There are two red circles in the picture.  (lists: There are a red circle and two stars ...)

    English uses "is" when the first group is single. One to four groups.
    """

    groups: tuple[Group, ...]


@dataclass(frozen=True)
class SayNone(Message):
    """There are no red circles in the picture."""

    kind: Kind


@dataclass(frozen=True)
class SayTotal(Message):
    """The picture shows three objects in total.  (count 1 to 6)"""

    count: int


@dataclass(frozen=True)
class SayRegion(Message):
    """The red circle is in the top left corner."""

    kind: Kind
    region: Region


@dataclass(frozen=True)
class SaySide(Message):
    """The red circle is to the left of the blue square."""

    kind: Kind
    side: Side
    other: Kind


@dataclass(frozen=True)
class SayBackground(Message):
    """The background is white and nothing else can be seen."""


@dataclass(frozen=True)
class SayMore(Message):
    """Yes, there are more circles than squares: three circles and one square.

    `more` False: No, there are not more circles than squares: one circle and three squares.
    Counts are 1 to 6.
    """

    group: Group
    other: Group
    more: bool


@dataclass(frozen=True)
class SayLeft(Message):
    """There are three red circles, so two red circles are left.

    `before` is the group's count before, 1 to 6. One left: "so one red circle is left";
    none left: "There is one red circle, so no red circles are left."
    """

    kind: Kind
    before: int


@dataclass(frozen=True)
class SayBox(Message):
    """The red circle is in the box [0.25, 0.00, 0.50, 0.25].  (the box stays as it is)"""

    kind: Kind
    box: str


@dataclass(frozen=True)
class SayWidth(Message):
    """The red circle is 48 px wide.  (number and unit stay as they are)"""

    kind: Kind
    width_px: int


@dataclass(frozen=True)
class SayLink(Message):
    """You can read more about circles at https://example.org/shapes/circle .

    The URL stays as it is and stands apart from the final mark by a space.
    """

    kind: Kind
    url: str


@dataclass(frozen=True)
class SayList(Message):
    """A bulleted list, one group a line: "- a red circle\\n- two blue squares" (no final mark)."""

    groups: tuple[Group, ...]
