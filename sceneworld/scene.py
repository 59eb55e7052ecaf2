"""Seeded scenes on a 4x4 grid, and the facts that can be told about them."""

import random
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

GRID = 4
CELL_PX = 64
PICTURE_PX = GRID * CELL_PX
WIDTHS_PX = {Size.SMALL: (24, 26, 28), Size.BIG: (50, 52, 54)}
# How often 1, 2, 3 or 4 things of a scene share a kind: repeats make counting worth asking.
REPEATS = {1: 2, 2: 3, 3: 2, 4: 1}
MAX_THINGS = 4
MAX_ALIKE = 4

OPPOSITE = {
    Side.LEFT: Side.RIGHT,
    Side.RIGHT: Side.LEFT,
    Side.ABOVE: Side.BELOW,
    Side.BELOW: Side.ABOVE,
}


class Shared(StrEnum):
    """What the repeated things of a scene have in common."""

    SHAPE = "shape"
    COLOUR = "colour"
    BOTH = "both"


@dataclass(frozen=True)
class Thing:
    """One object in one cell; its drawn extent is `width_px` square, centred in the cell."""

    row: int
    column: int
    shape: Shape
    colour: Colour
    size: Size
    width_px: int

    @property
    def kind(self) -> Kind:
        """The fullest description: `big red circle`."""
        return Kind(self.shape, self.colour, self.size)

    @property
    def region(self) -> Region:
        """The quadrant of the grid that holds the thing."""
        vertical = "top" if self.row < GRID // 2 else "bottom"
        horizontal = "left" if self.column < GRID // 2 else "right"
        return Region(f"{vertical} {horizontal}")

    @property
    def extent_px(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the drawn thing in pixels."""
        centre_x = self.column * CELL_PX + CELL_PX // 2
        centre_y = self.row * CELL_PX + CELL_PX // 2
        half = self.width_px // 2
        return centre_x - half, centre_y - half, centre_x + half, centre_y + half

    @property
    def box(self) -> str:
        """`[x1, y1, x2, y2]` as shares of the picture, two decimals, as LLaVA writes boxes."""
        return "[" + ", ".join(f"{edge / PICTURE_PX:.2f}" for edge in self.extent_px) + "]"

    def is_a(self, kind: Kind) -> bool:
        """Whether the description fits the thing."""
        return (
            kind.shape in (None, self.shape)
            and kind.colour in (None, self.colour)
            and kind.size in (None, self.size)
        )

    def lies(self, side: Side, other: "Thing") -> bool:
        """Whether the thing lies on that side of the other, strictly by column or row."""
        match side:
            case Side.LEFT:
                return self.column < other.column
            case Side.RIGHT:
                return self.column > other.column
            case Side.ABOVE:
                return self.row < other.row
            case Side.BELOW:
                return self.row > other.row


@dataclass(frozen=True)
class Scene:
    """Two to four things in distinct cells, in raster order."""

    scene_id: str
    things: tuple[Thing, ...]

    def count(self, kind: Kind) -> int:
        """How many things the description fits."""
        return sum(thing.is_a(kind) for thing in self.things)

    def smallest_names(self, thing: Thing) -> tuple[Kind, ...]:
        """The descriptions that single the thing out and stop doing so when a word is dropped."""
        return self._smallest_names[thing.row, thing.column]

    @cached_property
    def _smallest_names(self) -> dict[tuple[int, int], tuple[Kind, ...]]:
        """By cell; worked out once, because questions ask for them again and again."""
        smallest = {}
        for thing in self.things:
            names = [kind for kind in descriptions(thing) if self.count(kind) == 1]
            smallest[thing.row, thing.column] = tuple(
                name
                for name in names
                if not any(other is not name and _is_part(other, name) for other in names)
            )
        return smallest

    @property
    def groups(self) -> tuple[Group, ...]:
        """The things by colour and shape, in the raster order of each group's first thing."""
        kinds = dict.fromkeys(Kind(thing.shape, thing.colour) for thing in self.things)
        return tuple(Group(self.count(kind), kind) for kind in kinds)


def descriptions(thing: Thing) -> tuple[Kind, ...]:
    """All seven descriptions of a thing, from one word to three."""
    shape, colour, size = thing.shape, thing.colour, thing.size
    return (
        Kind(shape),
        Kind(colour=colour),
        Kind(size=size),
        Kind(shape, colour),
        Kind(shape, size=size),
        Kind(colour=colour, size=size),
        Kind(shape, colour, size),
    )


def _is_part(part: Kind, whole: Kind) -> bool:
    return (
        part.shape in (None, whole.shape)
        and part.colour in (None, whole.colour)
        and part.size in (None, whole.size)
    )


def make_scene(scene_id: str, seed: int, taken: set[tuple[Thing, ...]] | None = None) -> Scene:
    """Make the scene of this id; a scene whose things are in `taken` is made anew, then added."""
    rng = random.Random(f"{seed}/scene/{scene_id}")
    while True:
        things = _things(rng)
        alike = [sum(other.shape == thing.shape for other in things) for thing in things]
        alike += [sum(other.colour == thing.colour for other in things) for thing in things]
        if max(alike) > MAX_ALIKE or (taken is not None and things in taken):
            continue
        if taken is not None:
            taken.add(things)
        return Scene(scene_id, things)


def _things(rng: random.Random) -> tuple[Thing, ...]:
    repeats = rng.choices(tuple(REPEATS), tuple(REPEATS.values()))[0]
    total = rng.randint(max(repeats, 2), MAX_THINGS)
    shared = rng.choice(tuple(Shared))
    shape, colour = rng.choice(tuple(Shape)), rng.choice(tuple(Colour))
    things = []
    for number, cell in enumerate(rng.sample(range(GRID * GRID), total)):
        alike = number < repeats
        size = rng.choice(tuple(Size))
        things.append(
            Thing(
                row=cell // GRID,
                column=cell % GRID,
                shape=shape if alike and shared != Shared.COLOUR else rng.choice(tuple(Shape)),
                colour=colour if alike and shared != Shared.SHAPE else rng.choice(tuple(Colour)),
                size=size,
                width_px=rng.choice(WIDTHS_PX[size]),
            )
        )
    return tuple(sorted(things, key=lambda thing: (thing.row, thing.column)))
