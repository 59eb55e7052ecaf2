"""What HTML reports are made of: a template, plots as SVG, small pictures; nothing from outside."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

BLUE, ORANGE, GREY, RED = "#3b6fb6", "#e08a3c", "#b9bec7", "#c44e52"
THUMBNAIL_PX = 128


def rendered(package: str, template: str, **values: Any) -> str:
    """The page; texts in `values` are escaped."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader(package, "."), autoescape=True)
    return environment.get_template(template).render(**values)


def svg(
    draw: Callable[[Any], object],
    size: tuple[float, float],
    font_size: int = 9,
    grid: tuple[int, int] = (1, 1),
) -> str:
    """A plot as SVG text, the same for the same figures.

    `size` is width and height in inches; `draw` gets the axes of a `grid` of rows and columns as a
    flat array, or the one there is.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "palo", "font.size": font_size}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(*grid, squeeze=False).flatten()
        for plot in axes:
            plot.spines[["top", "right"]].set_visible(False)
        draw(axes[0] if len(axes) == 1 else axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", buffer.getvalue(), flags=re.DOTALL)


def thumbnail(path: Path) -> str:
    """A data URL of the picture at most THUMBNAIL_PX wide, "" where it cannot be read."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
            small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    except OSError:
        return ""
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
