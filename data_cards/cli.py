"""`palo card`, `palo export`, `palo push`: describe what was made, hand it on, publish it."""

from pathlib import Path
from typing import Annotated

import typer

from data_cards.export import Format, export, export_dir
from data_cards.provenance import (
    ReleaseKind,
    card_path,
    cards_dir,
    changes,
    has_checkpoint,
    read_provenance,
)
from data_cards.push import copied, plan, pushed
from data_cards.release import ALL, MIXTURE, Release, parse_release, there_are
from palo.console import ProfileOption, announce, note
from palo.errors import UserError
from palo.files import write_text
from palo.settings import config_path, load_config, load_profile

ReleaseOption = Annotated[
    str, typer.Option("--lang", help="What of it: ur, or ur,fr, or all, or mixture.")
]


def register(app: typer.Typer) -> None:
    app.command("card")(card)
    app.command("export")(export_command)
    app.command("push")(push_command)


def card(
    lang: Annotated[
        str | None, typer.Option("--lang", help="The card of a language: ur, or ur,fr, or all.")
    ] = None,
    mixture: Annotated[
        bool, typer.Option("--mixture", help="The card of what models are trained on.")
    ] = False,
    scale: Annotated[
        str | None, typer.Option("--scale", help="The card of a checkpoint: 1.7b, 7b or 13b.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a card is stale.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Write cards to data_cards/. Of all data sets and models that are there, or of those named."""
    if check:
        _check(profile)
        return
    from data_cards.cards import dataset_card, model_card, scale_names

    settings = load_profile(profile)
    announce(settings, "card")
    paths, every = settings.paths, lang is None and scale is None and not mixture
    if lang is not None and lang.strip().lower() == MIXTURE:
        raise UserError("The mixture is no language. Run palo card --mixture.")
    if every or (lang is not None and lang.strip().lower() == ALL):
        langs = there_are(paths)
    else:
        langs = () if lang is None else parse_release(lang, paths).langs
    releases = [Release(code, (code,)) for code in langs]
    trained = [name for name in scale_names(settings) if every and has_checkpoint(settings, name)]
    if mixture or (every and (releases or trained)):
        mixed = parse_release(MIXTURE, paths)
        releases += [mixed] if mixture or mixed.langs else []
    scales = trained if scale is None else [scale]
    if not (releases or scales):
        raise UserError("No translated rows to describe. Run palo translate --lang all first.")
    for release in releases:
        text = dataset_card(settings, release)
        note(f"Card: {write_text(card_path(settings, release.name), text)}")
    for name in scales:
        note(f"Card: {write_text(card_path(settings, name), model_card(settings, name))}")


def _check(only: str | None) -> None:
    """Every card in data_cards/, or a profile's; one without its data here stands, with a note."""
    profiles, num_cards, stale = load_config(config_path()).profiles, 0, False
    for path in sorted(cards_dir().glob("*.md")):
        told = read_provenance(path.read_text(encoding="utf-8"))
        if only is not None and (told is None or told.profile != only):
            continue
        num_cards += 1
        changed: list[str] | None
        if told is None:
            changed = ["it has no provenance that palo wrote"]
        elif told.profile not in profiles:
            note(f"{path.name}: pipelines.yaml has no profile {told.profile} any more")
            continue
        else:
            changed = changes(told, profiles[told.profile])
        if changed:
            stale = True
            why = ", ".join(changed)
            note(f"{path.name} is stale: {why}. Run palo card, and read what it says now.")
        elif told and changed is None:
            note(f"{path.name}: its data are not on this machine ({told.profile}, {told.what})")
        else:
            note(f"{path.name}: up to date")
    if not num_cards:
        note(f"No card to check in {cards_dir()}.")
    if stale:
        raise typer.Exit(1)


def export_command(
    form: Annotated[Format, typer.Option("--format", help="llava-json, parquet or hub.")],
    lang: ReleaseOption = ALL,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write; else below the data.")
    ] = None,
    profile: ProfileOption = None,
) -> None:
    """Export what training takes. As LLaVA's JSON, as Parquet, or as a folder ready for the Hub."""
    settings = load_profile(profile)
    announce(settings, "export")
    release = parse_release(lang, settings.paths)
    folder = (out or export_dir(settings, form, release)).absolute()
    counts = export(settings, form, release, folder)
    note(f"{folder}: {', '.join(f'{name} {count:,}' for name, count in counts.items())}")


def push_command(
    repo_id: Annotated[str, typer.Option("--repo-id", help="ORG/NAME on the Hub.")],
    what: Annotated[
        ReleaseKind, typer.Option("--what", help="dataset or checkpoint.")
    ] = ReleaseKind.DATASET,
    lang: ReleaseOption = ALL,
    scale: Annotated[str, typer.Option("--scale", help="Of a checkpoint.")] = "7b",
    public: Annotated[
        bool, typer.Option("--public", help="Make a new repository public; else it is private.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List files and sizes, send nothing.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option("--to", help="Copy into this folder, laid out as the Hub is.")
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Although a card is stale or an audit has failed.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Publish an export or a checkpoint. With its card, on the Hugging Face Hub."""
    settings = load_profile(profile)
    announce(settings, "push")
    chosen = plan(settings, what, lang, scale, repo_id, anyway)
    for warning in chosen.warnings:
        note(f"Although {warning}")
    if dry_run:
        for name, size in chosen.sizes:
            note(f"{size:>15,}  {name}")
        total = sum(size for _, size in chosen.sizes)
        note(f"{total:>15,}  bytes in {len(chosen.sizes)} files, for {chosen.place}")
        return
    note(f"Pushed: {copied(chosen, to) if to else pushed(chosen, private=not public)}")
