"""`palo images verify`: which images the data refer to are missing or broken, and where they go."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from palo.console import NOTHING, ProfileOption, announce, console, note, progress
from palo.errors import MissingResource
from palo.settings import load_profile

if TYPE_CHECKING:
    from train.data.image_check import Checked, ListFault, Place

INCOMPLETE = 1  # exit code; a user's mistake is 2

images_app = typer.Typer(help="The images that the data refer to.")


def register(app: typer.Typer) -> None:
    app.add_typer(images_app, name="images")


@images_app.callback(invoke_without_command=True)
def images(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        console.print(context.get_help(), markup=False)


@images_app.command("verify")
def verify(
    decode: Annotated[
        bool, typer.Option("--decode", help="Open every picture too: finds broken ones. Slow.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
    profile: ProfileOption = None,
) -> None:
    """Say which images are missing, where they belong and where they are published.

    COCO, GQA, OCR-VQA, TextVQA, VG and the captions' own. Exit code: 0 complete, 1 something is
    missing, 2 a mistake.
    """
    from train.data.image_check import check_images, image_lists

    settings = load_profile(profile)
    lists = image_lists(settings)
    there = [one for one in lists if one.path.is_file()]
    if not there:
        build = "`palo sample build`" if settings.world else "README.md says where to get them"
        paths = ", ".join(str(one.path) for one in lists)
        raise MissingResource(f"None of the lists that name images is there ({paths}): {build}.")
    if as_json:
        checked = check_images(lists, decode)
        print(json.dumps({**asdict(checked), "complete": checked.is_complete}, indent=1))
    else:
        announce(settings, "images verify")
        with progress("images", None) as tick:
            checked = check_images(lists, decode, tick)
        _say(checked, decode)
    if not checked.is_complete:
        raise typer.Exit(INCOMPLETE)


def _say(checked: "Checked", decode: bool) -> None:
    console.print(_table(checked.places, decode))
    for place in checked.places:
        if not place.is_complete:
            _say_place(place)
    for fault in checked.lists:
        _say_list(fault)
    if checked.is_complete:
        note("Every image is there." if decode else "Every image is there (none was opened).")


def _table(places: Iterable["Place"], decode: bool) -> Table:
    table = Table("images", title="Images that the data refer to")
    for title in ("needed", "missing", "broken", "refused"):
        table.add_column(title, justify="right")
    table.add_column("where they belong", overflow="fold")
    for place in places:
        broken = str(place.broken) if decode or place.broken else NOTHING
        counts = (str(place.needed), str(place.missing), broken, str(place.refused))
        table.add_row(place.title, *counts, place.folder)
    return table


def _say_place(place: "Place") -> None:
    note(f"{place.title}: {place.missing + place.broken + place.refused} can't be had, such as")
    for example in place.examples:
        note(f"  {example}")
    if place.missing or place.broken:
        published = f"; published at {place.published}" if place.published else ""
        note(f"  They belong into {place.folder} (or {place.folder}.zip, .tar){published}")
    if place.remark:
        note(f"  {place.remark}")


def _say_list(fault: "ListFault") -> None:
    note(f"The list of {fault.title} ({fault.path}) could not be checked: {fault.reason}")
