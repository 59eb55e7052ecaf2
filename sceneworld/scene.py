"""Seeded scenes on a 4x4 grid, and the facts that can be told about them."""

import random
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

GRID = 4
CELL_PX = 64
PICTURE_PX = GRID * CELL_PX
WIDTHS_PX = {Size.SMALL: (24, 26, 28), Size.BIG: (50, 52, 54)}
# How often 1, 2, 3 or 4 things of a scene share a kind: repeats make counting worth asking.
REPEATS = {1: 2, 2: 3, 3: 2, 4: 1}
MAX_THINGS = 4
WORDS = ("shape", "colour", "size")  # by which things are told apart


@dataclass(frozen=True)
class Thing:
    """One object in one cell; its drawn extent is `width_px` square, centred in the cell."""

    row: int
    column: int
    shape: Shape
    colour: Colour
    size: Size
    width_px: int

    @cached_property
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

    def lies(self, side: Side, other: "Thing") -> bool:
        """Whether the thing lies on that side of the other, strictly by column or row."""
        return {
            Side.LEFT: self.column < other.column,
            Side.RIGHT: self.column > other.column,
            Side.ABOVE: self.row < other.row,
            Side.BELOW: self.row > other.row,
        }[side]


@dataclass(frozen=True)
class Scene:
    """Two to four things in distinct cells, in raster order."""

    scene_id: str
    things: tuple[Thing, ...]

    def count(self, kind: Kind) -> int:
        """How many things the description fits."""
        return sum(kind.fits(thing.kind) for thing in self.things)

    @cached_property
    def smallest_names(self) -> dict[Thing, tuple[Kind, ...]]:
        """The descriptions that single a thing out and stop doing so when a word is dropped;
        worked out once, because questions ask for them again and again."""
        smallest = {}
        for thing in self.things:
            told = [words for size in (1, 2, 3) for words in combinations(WORDS, size)]
            names = [name for words in told if self.count(name := thing.kind.only(words)) == 1]
            smallest[thing] = tuple(
                name
                for name in names
                if not any(other is not name and other.fits(name) for other in names)
            )
        return smallest

    @property
    def groups(self) -> tuple[Group, ...]:
        """The things by colour and shape, in the raster order of each group's first thing."""
        kinds = dict.fromkeys(Kind(thing.shape, thing.colour) for thing in self.things)
        return tuple(Group(self.count(kind), kind) for kind in kinds)


def make_scene(scene_id: str, seed: int, taken: set[tuple[Thing, ...]] | None = None) -> Scene:
    """Make the scene of this id; a scene whose things are in `taken` is made anew, then added."""
    rng = random.Random(f"{seed}/scene/{scene_id}")
    things = _things(rng)
    while things in (taken or ()):
        things = _things(rng)
    if taken is not None:
        taken.add(things)
    return Scene(scene_id, things)


def _things(rng: random.Random) -> tuple[Thing, ...]:
    repeats = rng.choices(tuple(REPEATS), tuple(REPEATS.values()))[0]
    total = rng.randint(max(repeats, 2), MAX_THINGS)
    # what the repeated things have in common
    in_shape, in_colour = rng.choice(((True, False), (False, True), (True, True)))
    shape, colour = rng.choice(tuple(Shape)), rng.choice(tuple(Colour))
    things = []
    for number, cell in enumerate(rng.sample(range(GRID * GRID), total)):
        alike = number < repeats
        size = rng.choice(tuple(Size))
        things.append(
            Thing(
                row=cell // GRID,
                column=cell % GRID,
                shape=shape if alike and in_shape else rng.choice(tuple(Shape)),
                colour=colour if alike and in_colour else rng.choice(tuple(Colour)),
                size=size,
                width_px=rng.choice(WIDTHS_PX[size]),
            )
        )
    return tuple(sorted(things, key=lambda thing: (thing.row, thing.column)))
