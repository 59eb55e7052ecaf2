"""`palo review serve --lang ur`: a local page to review a batch on, by keyboard."""

import webbrowser
from typing import Annotated

import typer

from palo.console import ProfileOption, SourceOption, announce, console, note
from palo.errors import UserError
from palo.languages import parse_languages
from palo.paths import DataPaths
from palo.settings import load_profile


def register(review_app: typer.Typer) -> None:
    review_app.command("serve")(serve)


def serve(
    lang: Annotated[str, typer.Option("--lang", help="One language, such as ur.")],
    batch: Annotated[
        str | None, typer.Option("--batch", help="batch-0001; else the first with open rows.")
    ] = None,
    reviewer: Annotated[
        str, typer.Option("--reviewer", help="Your name; it stands beside your decisions.")
    ] = "",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one.")] = 0,
    host: Annotated[
        str, typer.Option("--host", help="Who can reach the page; the default: only this machine.")
    ] = "127.0.0.1",
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address.")
    ] = False,
    profile: ProfileOption = None,
    source: SourceOption = None,
) -> None:
    """Review a batch on a local page: image, English and translation side by side, by keyboard."""
    from refine.serve.server import LOOPBACK, ReviewServer
    from refine.serve.store import ReviewStore, find_batch, num_decided

    settings = load_profile(profile).on(source)
    announce(settings, "review serve")
    langs = parse_languages(lang)
    if len(langs) > 1:
        raise UserError(f"One language at a time: --lang {langs[0]}")
    code, name = str(langs[0]), " ".join(reviewer.split())
    exported = find_batch(DataPaths(settings.data_dir).review(code), code, batch, name)
    store = ReviewStore(exported, code, name)
    with ReviewServer(store, settings.source.images_dir, host, port) as server:
        decided = num_decided(store.entries().values())
        note(
            f"{code} {exported.stem}: {decided} of {len(store.rows)} rows decided, in {store.path}"
        )
        if not name:
            note("No --reviewer: decisions carry no name, and agreement cannot be measured.")
        if host not in LOOPBACK:
            note(
                f"Warning: {host} lets other machines reach the page. It is not encrypted; whoever "
                "has the address below can read and decide rows."
            )
        console.print(f"Review at {server.url}", markup=False, soft_wrap=True)
        note("Ctrl-C ends it; decisions are saved as they are made.")
        if not no_browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            decided = num_decided(store.entries().values())
            note(f"{decided} of {len(store.rows)} rows decided. To take them in:")
            note(f"  palo refine --lang {code}")
