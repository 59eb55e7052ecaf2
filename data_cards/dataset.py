"""Writes the card of a translated dataset from what the stages recorded.

palo card
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData

from palo import __version__
from palo.errors import UserError
from palo.paths import DataPaths
from palo.settings import Profile
from palo.shards import read_json, replaced
from palo.status import collect

TEMPLATE = files("data_cards") / "dataset_card.md.j2"


def render(profile: Profile) -> str:
    """The card as Markdown with a YAML head. Raises UserError where nothing is translated."""
    rows = [row for row in collect(profile) if row.translated]
    if not rows:
        raise UserError("No translated rows to describe. Run palo translate --lang all first.")
    report_path = DataPaths(profile.data_dir).translator_report
    training: dict[str, Any] = read_json(report_path) if report_path.is_file() else {}
    name = f"Palo instructions, profile {profile.name}"
    data = DatasetCardData(
        language=[str(row.lang) for row in rows],
        pretty_name=name,
        task_categories=["visual-question-answering", "image-text-to-text"],
        tags=["llava", "palo", "translation"],
    )
    card = DatasetCard.from_template(
        data,
        template_str=TEMPLATE.read_text(encoding="utf-8"),
        pretty_name=name,
        description=profile.description[:1].upper() + profile.description[1:] + ".",
        origin=profile.source.path.name,
        translator=Path(profile.translator.model).name
        if Path(profile.translator.model).is_absolute()
        else profile.translator.model,
        translator_licence=profile.translator.licence,
        filter_licences=profile.refine.models.licence_notes(),
        version=__version__,
        rows=rows,
        finetune=training.get("languages", {}),
        chrf_signature=training.get("chrf_signature", ""),
    )
    return str(card)


def write(profile: Profile, folder: Path) -> Path:
    """Writes `<profile>.md` into `folder` and returns its path."""
    path = folder / f"{profile.name}.md"
    text = render(profile)
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
