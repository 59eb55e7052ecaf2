"""`palo card`: the card of the translated dataset."""

import typer

from palo.console import announce, note
from palo.options import ProfileOption
from palo.settings import config_path, load_profile


def register(app: typer.Typer) -> None:
    app.command("card")(card)


def card(profile: ProfileOption = None) -> None:
    """Write the dataset's card (languages, counts, translator and its licence) to data_cards/."""
    from data_cards.dataset import write

    settings = load_profile(profile)
    announce(settings, "card")
    note(f"Card: {write(settings, config_path().resolve().parent / 'data_cards')}")
