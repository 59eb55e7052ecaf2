"""Draw a scene as a JPEG: 256x256 pixels, one object a cell, antialiased."""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw

from sceneworld.messages import Colour, Shape
from sceneworld.scene import CELL_PX, PICTURE_PX, Scene

BACKGROUND = (250, 250, 248)
INKS = {
    Colour.RED: (222, 24, 32),
    Colour.BLUE: (28, 72, 232),
    Colour.GREEN: (16, 150, 60),
    Colour.YELLOW: (250, 222, 20),
    Colour.ORANGE: (255, 132, 0),
    Colour.PURPLE: (140, 36, 176),
    Colour.BLACK: (16, 16, 16),
}
JPEG_QUALITY = 92
# Shapes are drawn this many times too large, then shrunk: that is the antialiasing.
OVERSAMPLING = 8

Point = tuple[float, float]


def _at(angle_degrees: float, radius: float) -> Point:
    angle = math.radians(angle_degrees)
    return radius * math.cos(angle), radius * math.sin(angle)


def _heart(angle: float) -> Point:
    """The usual parametric heart curve, tip down."""
    height = (
        13 * math.cos(angle)
        - 5 * math.cos(2 * angle)
        - 2 * math.cos(3 * angle)
        - math.cos(4 * angle)
    )
    return 16 * math.sin(angle) ** 3, -height


def _cross(arm: float) -> list[Point]:
    quarter = [(-arm, -1.0), (arm, -1.0), (arm, -arm)]
    points = []
    for _ in range(4):
        points += quarter
        quarter = [(-y, x) for x, y in quarter]
    return points


# y is down; each is stretched to fill a square
OUTLINES: dict[Shape, list[Point]] = {
    Shape.CIRCLE: [_at(angle, 1.0) for angle in range(0, 360, 4)],
    Shape.SQUARE: [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)],
    Shape.TRIANGLE: [(0.0, -1.0), (1.0, 1.0), (-1.0, 1.0)],
    Shape.STAR: [_at(36 * step - 90, 0.4 if step % 2 else 1.0) for step in range(10)],
    Shape.HEART: [_heart(math.radians(angle)) for angle in range(0, 360, 4)],
    Shape.CROSS: _cross(arm=0.34),
}


@cache
def _mask(shape: Shape, width_px: int) -> Image.Image:
    """Coverage (0-255) of one cell by a shape of this width, centred."""
    large_px = CELL_PX * OVERSAMPLING
    # Pillow paints the pixels that a polygon's edge touches; half a pixel less keeps the extent.
    scale = width_px * OVERSAMPLING - 1

    def stretched(places: Sequence[float]) -> list[float]:
        low, high = min(places), max(places)
        return [
            large_px / 2 + ((place - low) / (high - low) - 0.5) * scale - 0.5 for place in places
        ]

    points = list(zip(*map(stretched, zip(*OUTLINES[shape], strict=True)), strict=True))
    mask = Image.new("L", (large_px, large_px), 0)
    ImageDraw.Draw(mask).polygon(points, fill=255)
    return mask.resize((CELL_PX, CELL_PX), Image.Resampling.BOX)


def draw(scene: Scene) -> Image.Image:
    """Draw the scene; RGB, 256x256."""
    picture = Image.new("RGB", (PICTURE_PX, PICTURE_PX), BACKGROUND)
    for thing in scene.things:
        corner = (thing.column * CELL_PX, thing.row * CELL_PX)
        mask = _mask(thing.shape, thing.width_px)
        picture.paste(INKS[thing.colour], (*corner, corner[0] + CELL_PX, corner[1] + CELL_PX), mask)
    return picture


def save_picture(scene: Scene, path: Path) -> None:
    """Write the scene as a JPEG; full chroma, so that small things keep their colour."""
    draw(scene).save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0)
