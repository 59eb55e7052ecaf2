"""What people are shown who talk to a model: words in ten languages, example pictures, limits."""

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from palo.errors import MissingResource, unknown
from palo.languages import LANGUAGES, Language
from palo.settings import EvaluateSettings

MAX_PICTURES = 6
MAX_QUESTIONS = 4


class Phrases(NamedTuple):
    """One language's: the hint in the empty field, and the page's buttons."""

    ask: str
    send: str
    stop: str
    new: str
    picture: str
    examples: str


@cache
def phrases() -> dict[Language, Phrases]:
    """In the languages' own order."""
    text = Path(__file__).with_name("phrases.yaml").read_text(encoding="utf-8")
    rows = yaml.safe_load(text)
    return {code: Phrases(**rows[code]) for code in LANGUAGES}


def parse_language(code: str) -> Language:
    """One of the ten, English included. Raises UserError."""
    code = code.strip().lower()
    if code not in LANGUAGES:
        raise unknown("language", code, LANGUAGES)
    return Language(code)


@dataclass
class ExamplePicture:
    """A picture to begin with; `questions` of a language are at most MAX_QUESTIONS, each of
    another kind."""

    image: Path
    questions: dict[Language, list[str]] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)


def load_examples(settings: EvaluateSettings) -> list[ExamplePicture]:
    """Of the held-out questions; none where there are no such questions, or not their pictures."""
    if not settings.questions_path.is_file():
        return []
    with settings.questions_path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return [picture for picture in _pick(rows, settings.images_dir) if picture.image.is_file()]


def _pick(rows: Iterable[dict[str, Any]], images_dir: Path) -> Iterable[ExamplePicture]:
    """The first pictures in the file's order; what only takes seeing is asked first."""
    pictures: dict[str, ExamplePicture] = {}
    for row in sorted(rows, key=lambda row: bool(row.get("reasoning"))):
        if row["image"] not in pictures:
            if len(pictures) == MAX_PICTURES:
                continue
            pictures[row["image"]] = ExamplePicture(images_dir / row["image"])
        picture, kind = pictures[row["image"]], row.get("kind", "")
        if len(picture.kinds) == MAX_QUESTIONS or (kind and kind in picture.kinds):
            continue
        picture.kinds.append(kind)
        for lang, question in row["questions"].items():
            if lang in LANGUAGES:
                picture.questions.setdefault(Language(lang), []).append(question)
    return pictures.values()


def limits_of(is_standin: bool) -> str:
    """What the page says of what a model can't do."""
    if is_standin:
        return (
            "A tiny twin, trained in minutes on drawn scenes of coloured shapes: it knows "
            "nothing else, and is often wrong about counts and sides."
        )
    return "A research model: it can be wrong, and sure of it. One picture a conversation."


def require_gradio() -> None:
    """Raises MissingResource; sets what Gradio reads when it is imported (train/talk/page.py)."""
    if find_spec("gradio") is None:
        raise MissingResource("Gradio is not installed: make setup (or pip install 'palo[ui]')")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if "GRADIO_TEMP_DIR" not in os.environ:  # uploads go when the page does
        folder = tempfile.mkdtemp(prefix="palo-demo-ui-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["GRADIO_TEMP_DIR"] = folder
