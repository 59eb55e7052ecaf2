"""Commands of the train stage: `palo train --scale 7b`, `palo evaluate --scale 7b`, `palo chat`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palo.console import NOTHING, ProfileOption, announce, console, group, note, progress, table
from palo.engines.open import has_gpu
from palo.errors import MissingResource, UserError
from palo.languages import parse_language
from palo.settings import AnswerEngine, Sharding, load_profile
from train.model.layout import Layout, Part, PublishedType
from train.scale import Scale, StageName, load_scale
from train.serving import server

if TYPE_CHECKING:
    from train.data.image_check import Checked
    from train.serving.chat import Talker

LOOPBACK = "127.0.0.1"
INCOMPLETE = 1  # exit code of `palo images verify`; a user's mistake is 2

images_app = group("The images that the data refer to.")

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
    for command in (train, evaluate, convert, chat, serve, demo_ui):
        app.command()(command)
    app.add_typer(images_app, name="images")


def train(
    scale: ScaleOption,
    until: Annotated[
        StageName, typer.Option(help="stage1 needs no translations; the next call goes on from it.")
    ] = StageName.STAGE2,
    sharding: Annotated[
        Sharding | None,
        typer.Option(help="How several processes share the model; else as the profile says."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what it would take; train nothing.")
    ] = False,
    gpu: Annotated[
        str | None, typer.Option(help="With --dry-run: plan for this kind of GPU, a100-80, h100.")
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(help="With --dry-run: plan for so many of them.")
    ] = None,
    gpu_memory_gib: Annotated[
        float | None, typer.Option(help="With --dry-run: the memory of each.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --dry-run: for machines, in place of tables.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Train one scale. First the projector on captions, then the model on ten languages."""
    settings = load_profile(profile)
    if sharding:
        loop = settings.train.loop
        if sharding is Sharding.DEEPSPEED and loop.deepspeed_path is None:
            raise UserError(
                "--sharding deepspeed: name its settings in train: loop: deepspeed_path."
            )
        loop = loop.model_copy(update={"sharding": sharding})
        shared = settings.train.model_copy(update={"loop": loop})
        settings = settings.model_copy(update={"train": shared})
    chosen = load_scale(scale, settings.train.scales_dir)
    if dry_run:
        from train.planning.plan import dry_run as plan

        plan(chosen, settings, until, gpu, gpus, gpu_memory_gib, as_json)
        return
    if as_json or any(given is not None for given in (gpu, gpus, gpu_memory_gib)):
        raise UserError("--gpu, --gpus, --gpu-memory-gib and --json go with --dry-run.")
    announce(settings, f"train {scale}")
    from train.run import train_scale

    made = "Projector" if until is StageName.STAGE1 else "Checkpoint"
    note(f"{made}: {train_scale(chosen, settings, until)}")


@images_app.command("verify")
def verify_images(
    decode: Annotated[
        bool, typer.Option("--decode", help="Open every picture too: finds broken ones. Slow.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
    profile: ProfileOption = None,
) -> None:
    """Say which images are missing. Also where they belong and where they are published.

    COCO, GQA, OCR-VQA, TextVQA, VG and the captions' own. Exit code: 0 complete, 1 something is
    missing, 2 a mistake.
    """
    from train.data.image_check import check_images, image_lists

    settings = load_profile(profile)
    lists = image_lists(settings)
    there = [each for each in lists if each.path.is_file()]
    if not there:
        build = "`palo sample build`" if settings.world else "README.md says where to get them"
        paths = ", ".join(str(each.path) for each in lists)
        raise MissingResource(f"None of the lists that name images is there ({paths}): {build}.")
    if as_json:
        checked = check_images(lists, decode)
        print(json.dumps({**asdict(checked), "complete": checked.is_complete}, indent=1))
    else:
        announce(settings, "images verify")
        with progress("images", None) as tick:
            checked = check_images(lists, decode, tick)
        _say_images(checked, decode)
    if not checked.is_complete:
        raise typer.Exit(INCOMPLETE)


def _say_images(checked: "Checked", decode: bool) -> None:
    rows = []
    for place in checked.places:
        broken = str(place.broken) if decode or place.broken else NOTHING
        counts = (str(place.needed), str(place.missing), broken, str(place.refused))
        rows.append((place.title, *counts, place.folder))
    names, title = ("needed", "missing", "broken", "refused"), "Images that the data refer to"
    console.print(table("images", *names, text="where they belong", rows=rows, title=title))
    for place in checked.places:
        if place.lost:
            note(f"{place.title}: {place.lost} can't be had, such as")
            for example in place.examples:
                note(f"  {example}")
            if place.missing or place.broken:
                published = f"; published at {place.published}" if place.published else ""
                note(f"  They belong into {place.folder} (or {place.folder}.zip, .tar){published}")
            if place.remark:
                note(f"  {place.remark}")
    for fault in checked.lists:
        note(f"The list of {fault.title} ({fault.path}) could not be checked: {fault.reason}")
    if checked.is_complete:
        note("Every image is there." if decode else "Every image is there (none was opened).")


def convert(
    source: Annotated[Path, typer.Option("--from", help="The checkpoint's folder.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write.")],
    to: Annotated[
        Layout | None, typer.Option("--to", help="Default: the layout that --from is not in.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="Language model of a projector or of LoRA adapters: folder or hub id."),
    ] = None,
    vision_tower: Annotated[
        str | None,
        typer.Option(help="CLIP tower, where the checkpoint lacks it or does not name it."),
    ] = None,
    part: Annotated[
        Part | None, typer.Option(help="What to write with --to llava. Default: what --from holds.")
    ] = None,
    keep_adapter: Annotated[
        bool, typer.Option("--keep-adapter", help="LoRA stays beside the weights, not merged.")
    ] = False,
    model_type: Annotated[
        PublishedType | None,
        typer.Option(help="With --to llava: whose code will load it. Default: by the projector."),
    ] = None,
    max_shard_gb: Annotated[
        float, typer.Option(min=0.000001, help="Size that a file of weights keeps below.")
    ] = 5.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Put it in the place of a folder --out.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Convert a checkpoint. The published PALO/LLaVA layout into ours, or ours into that one."""
    announce(load_profile(profile), "convert")
    from train.conversion.convert import convert as run
    from train.conversion.published import Conversion

    with progress("tensors", None) as tick:
        wanted = Conversion(
            source, out, to=to, base=base, vision_tower=vision_tower, part=part, tick=tick,
            keep_adapter=keep_adapter, model_type=model_type, overwrite=overwrite,
            max_shard_bytes=int(max_shard_gb * 1e9),
        )  # fmt: skip
        note(run(wanted))


def evaluate(
    scale: ScaleOption,
    bench: Annotated[
        Path | None,
        typer.Option(help="Ask a LLaVA-Bench-style set's questions; a judge scores the answers."),
    ] = None,
    engine: Annotated[
        AnswerEngine, typer.Option(help="What runs the model.")
    ] = AnswerEngine.TRANSFORMERS,
    no_judge: Annotated[
        bool, typer.Option("--no-judge", help="With --bench: answers, language, texts; no scores.")
    ] = False,
    profile: ProfileOption = None,
) -> None:
    """Ask a trained scale questions. The held-out ones in ten languages, or those of a bench."""
    settings = load_profile(profile)
    announce(settings, f"evaluate {scale}")
    chosen = load_scale(scale, settings.train.scales_dir)
    if bench is not None:
        from train.evaluation import benchmark

        figures = benchmark.evaluate_set(chosen, settings, bench, engine, not no_judge)
        for table in benchmark.tables(figures):
            console.print(table)
        for line in benchmark.notes(figures):
            note(line)
        return
    if no_judge:
        raise UserError("--no-judge goes with --bench: held-out questions need no judge.")
    from train.evaluation import held_out

    for table in held_out.tables(held_out.evaluate_scale(chosen, settings, engine)):
        console.print(table)


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
    """Talk to a trained scale about a picture. In any of ten languages.

    Questions come from the terminal, a pipe, or --ask.
    """
    settings = load_profile(profile)
    chosen = load_scale(scale, settings.train.scales_dir)
    folder = server.find_checkpoint(chosen, settings, checkpoint)
    expected = parse_language(lang) if lang else None
    if ask is not None and not ask.strip():
        raise UserError("The question is empty: --ask 'What is it?'")
    if image is not None and not image.is_file():
        raise UserError(f"No image {image}.")
    interactive = ask is None and sys.stdin.isatty()
    if interactive:
        announce(settings, f"chat {scale}")
    talker = _load(folder, chosen, quiet=not interactive)
    from train.serving import chat as terminal

    sampling = terminal.Sampling(temperature, top_p, seed, max_new_tokens)
    talk = terminal.Chat(talker, sampling, image, expected, interactive)
    if ask is not None:
        talk.ask(ask)
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
    """Serve a trained scale. By vLLM's OpenAI-compatible server.

    VLLM_API_KEY, where it is set, is the key that requests must bring.
    """
    settings = load_profile(profile)
    chosen = load_scale(scale, settings.train.scales_dir)
    folder = server.find_checkpoint(chosen, settings, checkpoint)
    address = server.Address(host, port)
    name = served_model_name or f"palo-{scale}"
    command = server.make_server(folder, name, address, more or [], on_cpu=not has_gpu())
    address.require_free()
    announce(settings, f"serve {scale}")
    _say_slow(chosen)
    note(server.announcement(command, name, address))
    sys.stdout.flush()
    server.replace_process(command)


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
    """Talk to a trained scale on a page. It has picture, chat, ten languages, examples.

    Nothing is fetched from elsewhere, and nothing sent there.
    """
    settings = load_profile(profile)
    chosen = load_scale(scale, settings.train.scales_dir)
    folder = server.find_checkpoint(chosen, settings, checkpoint)
    address = server.Address(host, port)
    address.require_free()
    server.require_gradio()
    announce(settings, f"demo-ui {scale}")
    talker = _load(folder, chosen, quiet=False)
    from train.serving.chat import Sampling
    from train.serving.page import Page, load_examples

    sampling = Sampling(temperature, top_p, seed, max_new_tokens)
    examples = load_examples(settings.evaluate)
    page = Page(talker, sampling, examples, f"PALO {scale}", chosen.is_standin)
    if not address.is_loopback:
        note(f"Warning: {host} lets other machines reach the page, without a password.")
    note(f"Talk at {address.url} (Ctrl-C ends it)")
    page.serve(address)


def _load(folder: Path, scale: Scale, quiet: bool) -> "Talker":
    from transformers.utils import logging

    from train.serving.chat import Talker

    logging.disable_progress_bar()
    if not quiet:
        _say_slow(scale)
    return Talker(folder, scale.max_length)


def _say_slow(scale: Scale) -> None:
    if not scale.is_standin and not has_gpu():
        note(f"No NVIDIA GPU: {scale.name} answers on the CPU, in float32, slowly.")
