"""What can be said about a scene, before any language says it.

A turn of a conversation is a tuple of messages; a grammar (`sceneworld/grammar/<lang>.yaml`) turns
each message into a sentence. All ten start from the same message, so translations are exact.
"""

from collections.abc import Iterable
from dataclasses import dataclass, make_dataclass
from enum import StrEnum
from typing import Any


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

    def only(self, words: Iterable[str]) -> "Kind":
        """What is left where only these words are told: of `shape`, `colour` and `size`."""
        return Kind(**{word: getattr(self, word) for word in words})

    def fits(self, whole: "Kind") -> bool:
        """Whether every word of it is one of the other's."""
        return (
            self.shape in (None, whole.shape)
            and self.colour in (None, whole.colour)
            and self.size in (None, whole.size)
        )


@dataclass(frozen=True)
class Group:
    """`count` things of one kind: 1 to 6, as far as every grammar counts; scenes hold fewer."""

    count: int
    kind: Kind


class Message:
    """One sentence (or one list), a frozen dataclass; beside each below stands its English."""


def _message(name: str, **fields: Any) -> Any:
    here = {"__module__": __name__}  # pickle looks classes up by it
    return make_dataclass(name, fields.items(), bases=(Message,), namespace=here, frozen=True)


AskColour = _message("AskColour", kind=Kind)  # What colour is the small circle?  (no colour told)
AskShape = _message("AskShape", kind=Kind)  # What shape is the red object?  (no shape told)
AskSize = _message("AskSize", kind=Kind)  # Is the red circle big or small?
AskCount = _message("AskCount", kind=Kind)  # How many red circles are there?
AskRegion = _message("AskRegion", kind=Kind)  # Where is the red circle?
AskExists = _message("AskExists", kind=Kind)  # Is there a red circle in the picture?
# Is the red circle to the left of the blue square?
AskSide = _message("AskSide", kind=Kind, side=Side, other=Kind)
AskList = _message("AskList", variant=int)  # What do you see in the picture?  (and one more)
# Describe the following image.  (one of four prompts, repeated as LLaVA's are)
AskDetail = _message("AskDetail", variant=int)
# Are there more circles than squares?
AskMore = _message("AskMore", kind=Kind, other=Kind)
# If one red circle is removed, how many red circles are left?
AskLeft = _message("AskLeft", kind=Kind)
AskBox = _message("AskBox", kind=Kind)  # Give the bounding box of the red circle.
AskWidth = _message("AskWidth", kind=Kind)  # How wide is the red circle?
AskLink = _message("AskLink", kind=Kind)  # Where can I read more about circles?

# What was asked about decides the forms of the words.
ShortColour = _message("ShortColour", colour=Colour, kind=Kind)  # Red.
ShortShape = _message("ShortShape", shape=Shape)  # A circle.
ShortSize = _message("ShortSize", size=Size, kind=Kind)  # Big.
ShortCount = _message("ShortCount", count=int, kind=Kind)  # Two.  (of 0: None.)
ShortRegion = _message("ShortRegion", region=Region)  # In the top left corner.
Yes = _message("Yes")
No = _message("No")

SayColour = _message("SayColour", kind=Kind, colour=Colour)  # The small circle is red.
SayShape = _message("SayShape", kind=Kind, shape=Shape)  # The red object is a circle.
SaySize = _message("SaySize", kind=Kind, size=Size)  # The red circle is big.
# There are two red circles in the picture.  (one to four groups)
SayThere = _message("SayThere", groups=tuple[Group, ...])
SayNone = _message("SayNone", kind=Kind)  # There are no red circles in the picture.
SayTotal = _message("SayTotal", count=int)  # The picture shows three objects in total.  (1 to 6)
# The red circle is in the top left corner.
SayRegion = _message("SayRegion", kind=Kind, region=Region)
# The red circle is to the left of the blue square.
SaySide = _message("SaySide", kind=Kind, side=Side, other=Kind)
# The background is white and nothing else can be seen.
SayBackground = _message("SayBackground")
# Yes, there are more circles than squares: three circles and one square.
SayMore = _message("SayMore", group=Group, other=Group, more=bool)
# There are three red circles, so two red circles are left.  (before: 1 to 6)
SayLeft = _message("SayLeft", kind=Kind, before=int)
# What stays as it is in every language: a box, a number with its unit, an address
SayBox = _message("SayBox", kind=Kind, box=str)  # The red circle is in the box [0.25, 0.00, ...].
SayWidth = _message("SayWidth", kind=Kind, width_px=int)  # The red circle is 48 px wide.
SayLink = _message("SayLink", kind=Kind, url=str)  # Read more about circles at https://... .
# "- a red circle\n- two blue squares": a group a line, no final mark
SayList = _message("SayList", groups=tuple[Group, ...])
