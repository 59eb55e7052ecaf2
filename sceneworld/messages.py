"""What can be said about a scene, before any language says it.

A turn of a conversation is a tuple of messages; a grammar (`sceneworld/grammar/<lang>.py`) turns
each message into a sentence. Because all ten languages start from the same message, a translation
is exact by construction.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, dataclass_transform


class Shape(StrEnum):
    CIRCLE = "circle"
    SQUARE = "square"
    TRIANGLE = "triangle"
    STAR = "star"
    HEART = "heart"
    CROSS = "cross"


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"
    YELLOW = "yellow"
    ORANGE = "orange"
    PURPLE = "purple"
    BLACK = "black"


class Size(StrEnum):
    SMALL = "small"
    BIG = "big"


class Side(StrEnum):
    """Where one object lies, seen from another."""

    LEFT = "left"
    RIGHT = "right"
    ABOVE = "above"
    BELOW = "below"


class Region(StrEnum):
    """The quarters of a picture, which are called its corners."""

    TOP_LEFT = "top left"
    TOP_RIGHT = "top right"
    BOTTOM_LEFT = "bottom left"
    BOTTOM_RIGHT = "bottom right"


@dataclass(frozen=True)
class Kind:
    """A kind of thing: `red circle`, `small star`, `object` (shape None)."""

    shape: Shape | None = None
    colour: Colour | None = None
    size: Size | None = None


@dataclass(frozen=True)
class Group:
    """`count` things of one kind: 1 to 6, as far as every grammar counts; scenes hold fewer."""

    count: int
    kind: Kind


@dataclass_transform(frozen_default=True)
class Message:
    """One sentence (or one list); what is said of each below is its English.

    Every subclass is a frozen dataclass by being one.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True)(cls)


class AskColour(Message):  # What colour is the small circle?  (the kind has a shape, no colour)
    kind: Kind


class AskShape(Message):  # What shape is the red object?  (the kind has a colour, no shape)
    kind: Kind


class AskSize(Message):  # Is the red circle big or small?
    kind: Kind


class AskCount(Message):  # How many red circles are there?  (shape None: How many red objects ...?)
    kind: Kind


class AskRegion(Message):  # Where is the red circle?
    kind: Kind


class AskExists(Message):  # Is there a red circle in the picture?
    kind: Kind


class AskSide(Message):  # Is the red circle to the left of the blue square?
    kind: Kind
    side: Side
    other: Kind


class AskList(Message):  # What do you see in the picture?  List all the objects in the picture.
    variant: int = 0


class AskDetail(Message):  # Describe the following image.  (four prompts, repeated as LLaVA's are)
    variant: int = 0


class AskMore(Message):  # Are there more circles than squares?  (both kinds plural)
    kind: Kind
    other: Kind


class AskLeft(Message):  # If one red circle is removed, how many red circles are left?
    kind: Kind


class AskBox(Message):  # Give the bounding box of the red circle.
    kind: Kind


class AskWidth(Message):  # How wide is the red circle?
    kind: Kind


class AskLink(Message):  # Where can I read more about circles?
    kind: Kind


class ShortColour(Message):  # Red.  (agrees with the kind that was asked about)
    colour: Colour
    kind: Kind


class ShortShape(Message):  # A circle.
    shape: Shape


class ShortSize(Message):  # Big.  (agrees with the kind)
    size: Size
    kind: Kind


class ShortCount(Message):  # Two.  (agrees with the kind; 0 is "None.")
    count: int
    kind: Kind


class ShortRegion(Message):  # In the top left corner.
    region: Region


class Yes(Message):  # Yes.
    pass


class No(Message):  # No.
    pass


class SayColour(Message):  # The small circle is red.
    kind: Kind
    colour: Colour


class SayShape(Message):  # The red object is a circle.
    kind: Kind
    shape: Shape


class SaySize(Message):  # The red circle is big.
    kind: Kind
    size: Size


class SayThere(Message):  # There are two red circles in the picture.  (one to four groups)
    groups: tuple[Group, ...]


class SayNone(Message):  # There are no red circles in the picture.
    kind: Kind


class SayTotal(Message):  # The picture shows three objects in total.  (count 1 to 6)
    count: int


class SayRegion(Message):  # The red circle is in the top left corner.
    kind: Kind
    region: Region


class SaySide(Message):  # The red circle is to the left of the blue square.
    kind: Kind
    side: Side
    other: Kind


class SayBackground(Message):  # The background is white and nothing else can be seen.
    pass


class SayMore(Message):  # Yes, there are more circles than squares: three circles and one square.
    group: Group
    other: Group
    more: bool


class SayLeft(Message):  # There are three red circles, so two red circles are left.
    kind: Kind
    before: int  # 1 to 6


class SayBox(Message):  # The red circle is in the box [0.25, 0.00, 0.50, 0.25].  (kept as it is)
    kind: Kind
    box: str


class SayWidth(Message):  # The red circle is 48 px wide.  (number and unit stay as they are)
    kind: Kind
    width_px: int


class SayLink(Message):  # Read more about circles at https://... .  (a space before the mark)
    kind: Kind
    url: str


class SayList(Message):  # "- a red circle\n- two blue squares", a group a line, no final mark
    groups: tuple[Group, ...]
