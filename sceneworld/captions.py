"""What the stand-in vision tower and the projector learn from: patch labels and captions."""

from sceneworld.grammar.en import corner, indefinite
from sceneworld.scene import GRID, Scene

PROMPTS = (
    "Give a brief description of the image.",
    "Describe the image concisely.",
    "Provide a short caption for the picture.",
    "Summarize what the picture shows.",
)


def caption(scene: Scene) -> str:
    """Every object in raster order: `A big red circle in the top left corner, a ... .`"""
    parts = [f"{indefinite(thing.kind)} {corner(thing.region)}" for thing in scene.things]
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def patches(scene: Scene) -> list[str]:
    """The 16 cells in raster order: `big red circle`, or '' where nothing is drawn."""
    cells = [""] * (GRID * GRID)
    for thing in scene.things:
        cells[thing.row * GRID + thing.column] = f"{thing.size} {thing.colour} {thing.shape}"
    return cells
