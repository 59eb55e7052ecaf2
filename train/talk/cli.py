"""Commands to talk to a trained scale: `palo chat`, `palo serve`, `palo demo-ui`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palo.console import ProfileOption, announce, note
from palo.errors import UserError
from palo.settings import load_profile
from train.resources import has_gpu
from train.scale import Scale, load_scale
from train.talk.folder import find_checkpoint

if TYPE_CHECKING:
    from train.talk.talker import Talker

LOOPBACK = "127.0.0.1"

ScaleOption = Annotated[str, typer.Option(help="1.7b, 7b or 13b: a file of the scales folder.")]
CheckpointOption = Annotated[
    Path | None,
    typer.Option(help="A checkpoint's folder, merged or base and adapter; else the profile's own."),
]
TemperatureOption = Annotated[
    float, typer.Option(min=0, max=5, help="0: always the likeliest word; 1: as the model is.")
]
TopPOption = Annotated[
    float, typer.Option(min=0.01, max=1, help="Only the likeliest words that make up this share.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of what a temperature draws by lot.")]
MaxNewTokensOption = Annotated[int, typer.Option(min=1, help="The longest an answer may get.")]
HostOption = Annotated[str, typer.Option(help="Who can reach it; the default: only this machine.")]


def register(app: typer.Typer) -> None:
    app.command("chat")(chat)
    app.command("serve")(serve)
    app.command("demo-ui")(demo_ui)


def chat(
    scale: ScaleOption,
    image: Annotated[
        Path | None, typer.Option(help="The picture to talk about; none: words alone.")
    ] = None,
    ask: Annotated[
        str | None, typer.Option(help="One question: prints the answer, and nothing else.")
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option(help="Warn of answers in another language; they follow the question's."),
    ] = None,
    temperature: TemperatureOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = 0,
    max_new_tokens: MaxNewTokensOption = 256,
    checkpoint: CheckpointOption = None,
    profile: ProfileOption = None,
) -> None:
    """Talk to a trained scale about a picture, in any of ten languages.

    Questions come from the terminal, a pipe, or --ask.
    """
    from train.talk.phrases import parse_language

    settings = load_profile(profile)
    chosen = load_scale(scale, settings.train.scales_dir)
    folder = find_checkpoint(chosen, settings, checkpoint)
    expected = parse_language(lang) if lang else None
    if ask is not None and not ask.strip():
        raise UserError("The question is empty: --ask 'What is it?'")
    if image is not None and not image.is_file():
        raise UserError(f"No image {image}.")
    interactive = ask is None and sys.stdin.isatty()
    if interactive:
        announce(settings, f"chat {scale}")
    talker = _load(folder, chosen, quiet=not interactive)
    from train.talk import terminal
    from train.talk.talker import Sampling

    sampling = Sampling(temperature, top_p, seed, max_new_tokens)
    talk = terminal.Chat(talker, sampling, image, expected, interactive)
    if ask is not None:
        talk.ask(terminal.clean(ask))
    elif interactive:
        note(f"{terminal.hint(expected)}\n{terminal.HELP}")
        talk.follow(terminal.lines_of_a_terminal())
    else:
        talk.follow(terminal.lines_of(sys.stdin))


def serve(
    scale: ScaleOption,
    host: HostOption = LOOPBACK,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    served_model_name: Annotated[
        str | None, typer.Option(help="What requests call the model; the default: palo-<scale>.")
    ] = None,
    checkpoint: CheckpointOption = None,
    more: Annotated[
        list[str] | None, typer.Argument(help="After --, further flags of vLLM's server.")
    ] = None,
    profile: ProfileOption = None,
) -> None:
    """Serve a trained scale by vLLM's OpenAI-compatible server.

    VLLM_API_KEY, where it is set, is the key that requests must bring.
    """
    from train.serving.server import Address, announcement, make_server, replace_process

    settings = load_profile(profile)
    chosen = load_scale(scale, settings.train.scales_dir)
    folder = find_checkpoint(chosen, settings, checkpoint)
    address = Address(host, port)
    name = served_model_name or f"palo-{scale}"
    server = make_server(folder, name, address, more or [], on_cpu=not has_gpu())
    address.require_free()
    announce(settings, f"serve {scale}")
    _say_slow(chosen)
    note(announcement(server, name, address))
    sys.stdout.flush()
    replace_process(server)


def demo_ui(
    scale: ScaleOption = "7b",
    host: HostOption = LOOPBACK,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7860,
    temperature: TemperatureOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = 0,
    max_new_tokens: MaxNewTokensOption = 256,
    checkpoint: CheckpointOption = None,
    profile: ProfileOption = None,
) -> None:
    """Talk to a trained scale on a page: picture, chat, ten languages, examples.

    Nothing is fetched from elsewhere, and nothing sent there.
    """
    from train.serving.server import Address
    from train.talk.examples import load_examples

    settings = load_profile(profile)
    chosen = load_scale(scale, settings.train.scales_dir)
    folder = find_checkpoint(chosen, settings, checkpoint)
    address = Address(host, port)
    address.require_free()
    from train.talk.demo import About, open_page, require_gradio

    require_gradio()
    announce(settings, f"demo-ui {scale}")
    talker = _load(folder, chosen, quiet=False)
    from train.talk.talker import Sampling

    sampling = Sampling(temperature, top_p, seed, max_new_tokens)
    about = About(f"PALO {scale}", chosen.is_standin)
    from train.talk.gradio_page import make_page

    page = make_page(talker, sampling, load_examples(settings.evaluate), about)
    if not address.is_loopback:
        note(f"Warning: {host} lets other machines reach the page, without a password.")
    note(f"Talk at {address.url} (Ctrl-C ends it)")
    open_page(page, address)


def _load(folder: Path, scale: Scale, quiet: bool) -> "Talker":
    from transformers.utils import logging

    from train.talk.talker import Talker

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    if not quiet:
        _say_slow(scale)
    return Talker(folder, scale.max_length)


def _say_slow(scale: Scale) -> None:
    if not scale.is_standin and not has_gpu():
        note(f"No NVIDIA GPU: {scale.name} answers on the CPU, in float32, slowly.")
