"""`palo card`: the card of the translated dataset."""

from typing import Annotated

import typer

from palo.console import announce, note
from palo.settings import config_path, load_profile

ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="A profile of pipelines.yaml; also PROFILE=...")
]


def register(app: typer.Typer) -> None:
    app.command("card")(card)


def card(profile: ProfileOption = None) -> None:
    """Write the dataset's card (languages, counts, translator and its licence) to data_cards/."""
    from data_cards.dataset import write

    settings = load_profile(profile)
    announce(settings, "card")
    note(f"Card: {write(settings, config_path().resolve().parent / 'data_cards')}")
