"""The report as one self-contained HTML file: figures, plots, example rows with their pictures."""

import base64
import io
from pathlib import Path

from jinja2 import Environment, PackageLoader

from palo.files import replaced
from palo.languages import LANGUAGES
from palo.paths import DataPaths
from palo.report.figures import Figures
from palo.report.plots import plots
from palo.report.tables import HEADINGS, cells, means
from palo.settings import Profile

THUMBNAIL_PX = 128
ANSWERS_SHOWN = 30


def write_page(figures: Figures, profile: Profile) -> Path:
    """Writes report.html below the profile's data folder and returns its path."""
    path = DataPaths(profile.data_dir).report
    page = render(figures, profile.evaluate.images_dir)
    with replaced(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def render(figures: Figures, evaluation_images_dir: Path) -> str:
    environment = Environment(loader=PackageLoader("palo.report", "."), autoescape=True)
    template = environment.get_template("page.html.j2")
    answers = figures.evaluation.get("examples", [])[:ANSWERS_SHOWN]
    signatures = {row.truth.signature for row in figures.languages if row.truth}
    return template.render(
        figures=figures,
        headings=[heading.replace("-\n", "") for heading in HEADINGS],  # the page has room
        rows=[(f"{row.lang} {row.name}", cells(row)) for row in figures.languages],
        means=means(figures),
        plots=plots(figures),
        signatures=sorted(signatures),
        reasons=_reasons(figures),
        examples=[(example, thumbnail(example.image_path)) for example in figures.examples],
        answers=[(row, thumbnail(evaluation_images_dir / row["image"])) for row in answers],
        languages=LANGUAGES,
    )


def thumbnail(path: Path | None) -> str:
    """A data URL of the picture at most THUMBNAIL_PX wide, "" where it cannot be read."""
    from PIL import Image

    if path is None or not path.is_file():
        return ""
    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
            small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    except OSError:
        return ""
    buffer = io.BytesIO()
    small.save(buffer, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _reasons(figures: Figures) -> list[tuple[str, list[int]]]:
    """Filter -> turns it spoke of, one number a translated language, most frequent first."""
    rows = [row for row in figures.languages if row.status]
    names = {name for row in rows for name in row.by_reason}
    counted = [(name, [row.by_reason.get(name, 0) for row in rows]) for name in names]
    return sorted(counted, key=lambda pair: (-sum(pair[1]), pair[0]))
