"""What the stand-in vision tower and the projector learn from: patch labels and captions."""

from sceneworld import messages as m
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


def is_told(question: m.Message, scene: Scene) -> bool:
    """Whether the caption alone decides a question: sides only across the picture's middle."""
    if not isinstance(question, m.AskSide):
        return True
    thing = next(thing for thing in scene.things if thing.is_a(question.kind))
    other = next(thing for thing in scene.things if thing.is_a(question.other))
    middle = GRID // 2
    if question.side in (m.Side.LEFT, m.Side.RIGHT):
        return (thing.column < middle) != (other.column < middle)
    return (thing.row < middle) != (other.row < middle)
