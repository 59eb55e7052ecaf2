"""Commands of the sample world: `palo sample build | review`, `palo translator pretrain`."""

from pathlib import Path
from typing import Annotated

import typer

from palo.console import ProfileOption, SourceOption, announce, note, progress
from palo.errors import UserError
from palo.files import digest, read_json, run_lock, write_json
from palo.settings import Profile, WorldSettings, load_profile
from sceneworld.standins import BUILDERS
from train.scale import standin_builders
from translate.cli import translator_app

WORLD_VERSION = "5"  # raise it when the same settings give another world

sample_app = typer.Typer(help="The built-in sample world.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """The commands; and `train` gets its builders of stand-ins."""
    standin_builders.update(BUILDERS)
    translator_app.registered_commands.sort(key=lambda command: command.name != "pretrain")
    app.add_typer(sample_app, name="sample")


@sample_app.command("build")
def build(profile: ProfileOption = None) -> None:
    """Build the world. Pictures, conversations, true translations of these, held-out questions."""
    from sceneworld.build import build_world

    settings = load_profile(profile)
    announce(settings, "sample build")
    world = _world(settings)
    folder = settings.paths.world_dir
    marker = folder / "built.json"
    made_from = digest([WORLD_VERSION, world.model_dump()])
    if marker.is_file() and read_json(marker) == made_from:
        note(f"{folder} is up to date")
        return
    with run_lock(folder, "palo sample build"):
        marker.unlink(missing_ok=True)
        summary = build_world(folder, world)
        write_json(marker, made_from)
    note(
        f"{summary['samples']} samples, {summary['turns']} turns, {summary['captions']} captions, "
        f"{summary['evaluation_questions']} held-out questions in {folder}"
    )


@sample_app.command("review")
def review(
    batch: Annotated[str, typer.Option(help="Only CSVs whose name begins so.")] = "",
    source: SourceOption = None,
    profile: ProfileOption = None,
) -> None:
    """Play the reviewer. Every open row of the review CSVs is filled in with the truth."""
    from sceneworld.truth import BENCH_TRUTH, load_truth, review_csv

    settings = load_profile(profile)
    announce(settings, "sample review")
    _world(settings)
    world_dir = settings.paths.world_dir
    truth_path = world_dir / "truth.jsonl"
    if not truth_path.is_file():
        raise UserError(f"No sample world in {world_dir}. Build it first: palo sample build")
    truth = load_truth(truth_path)
    if (world_dir / BENCH_TRUTH).is_file():
        truth |= load_truth(world_dir / BENCH_TRUTH)
    files = sorted((settings.on(source).data_dir / "review").glob(f"*/{batch}*.csv"))
    files = [path for path in files if not path.name.endswith(".errors.csv")]
    if not files:
        raise UserError("No review CSV to work on. Write them first: palo refine")
    for path in files:
        counts = review_csv(path, truth)
        outcomes = ("accepted", "fixed", "judged before", "not known to the truth")
        told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in outcomes)
        note(f"{path.parent.name}/{path.name}: {told}")


@translator_app.command("pretrain")
def pretrain(profile: ProfileOption = None) -> None:
    """Train the stand-in translator. From nothing; for profiles with `standin` settings only."""
    settings = load_profile(profile)
    standin = settings.translator.standin
    announce(settings, "translator pretrain")
    if standin is None:
        raise UserError(
            f"Profile '{settings.name}' has no stand-in to pretrain: it translates with "
            f"{settings.translator.model}."
        )
    from sceneworld.standins import translator

    model_dir = Path(settings.translator.model)
    corpus_path = settings.paths.world_dir / "corpus.jsonl"
    with (
        run_lock(model_dir, "palo translator pretrain"),
        progress("pretrain translator", standin.steps) as tick,
    ):
        trained = translator.pretrain(
            standin, corpus_path, settings.translator.context, model_dir, lambda text: tick(1, text)
        )
    note(f"{model_dir}: {'trained' if trained else 'up to date'}")


def _world(settings: Profile) -> WorldSettings:
    if settings.world is None:
        raise UserError(
            f"Profile '{settings.name}' works on real data and has no sample world. "
            "Use --profile sample."
        )
    return settings.world
