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
