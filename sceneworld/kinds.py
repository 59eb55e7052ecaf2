"""The words a scene is made of: shapes, colours, sizes, places, and kinds of things."""

from dataclasses import dataclass
from enum import StrEnum


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
    """The nine regions of a picture; only the corners and edges a 4x4 grid can name exactly."""

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
    """`count` things of one kind; count is 1 to 6."""

    count: int
    kind: Kind
