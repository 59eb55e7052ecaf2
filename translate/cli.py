"""`palo translate` and `palo translator pretrain | seed | train`; `palo memory` is beside it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from palo.console import LangsOption, ProfileOption, announce, console, note, progress
from palo.engines.open import missing, open_engine
from palo.engines.stream import Engine, Weights
from palo.errors import MissingResource, UserError, unknown
from palo.files import run_lock
from palo.languages import Language, parse_languages
from palo.paths import DataPaths, source_root
from palo.settings import EngineKind, Profile, SourceSettings, TranslatorSettings, load_profile
from translate.audit import require_whole
from translate.estimating import estimate_all
from translate.events import Sink
from translate.ingest import IngestReport, ingest
from translate.job import Job
from translate.memory_cli import memory_app
from translate.run import LanguageReport, Places, translate_language
from translate.seed import write_seed
from translate.translator import base_weights, weights_for
from translate.watching import show_account, watching

EngineOption = Annotated[
    str | None, typer.Option("--engine", help="vllm, ray, openai, transformers or scripted.")
]

translator_app = typer.Typer(
    name="translator", help="Make and improve the translation model.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    app.command("translate")(translate)
    app.add_typer(translator_app)
    app.add_typer(memory_app)


def translate(
    lang: LangsOption,
    source: Annotated[
        Path | None, typer.Option("--source", help="Any LLaVA-Instruct JSON file.")
    ] = None,
    engine: EngineOption = None,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Ask again what got no answer last time.")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Measure a sample and say what the rest would take.")
    ] = False,
    sample: Annotated[
        int | None, typer.Option("--sample", min=2, help="Segments for --estimate.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option("--events", help="Append JSON events to this file.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", help="Keep Prometheus metrics in this file.")
    ] = None,
    profile: ProfileOption = None,
) -> None:
    """Translate the source into one or more languages; run again to go on after a stop."""
    settings = load_profile(profile)
    announce(settings, f"translate --lang {lang}")
    langs = parse_languages(lang)
    kind = engine_kind(engine, settings.translator)
    files, paths = _source(settings, source)
    if estimate:
        _check(settings, files, kind)
        _ingest(files, paths)
        places = {one: Places.of(paths, one) for one in langs}
        with ExitStack() as stack:
            jobs = _jobs(settings.translator, kind, list(langs), stack)
            estimate_all(jobs, places, kind, sample)
        return
    translate_file(settings, files, paths, langs, kind, retry_errors, events, metrics)


def translate_file(
    settings: Profile,
    files: SourceSettings,
    paths: DataPaths,
    langs: Sequence[Language],
    kind: EngineKind,
    retry_errors: bool = False,
    events: Path | None = None,
    metrics: Path | None = None,
) -> None:
    """Reads the file and translates it, with all that is said meanwhile.

    Raises MissingResource for what this machine lacks, AuditFailed where shards are not whole.
    """
    _check(settings, files, kind)
    _ingest(files, paths)
    places = {one: Places.of(paths, one) for one in langs}
    with watching(events, metrics) as sink:
        reports = _translate_all(settings.translator, kind, places, sink, retry_errors)
    _account(reports, places)


@translator_app.command("pretrain")
def pretrain_command(profile: ProfileOption = None) -> None:
    """Train the stand-in translator from nothing (profiles with `standin` settings only)."""
    settings = load_profile(profile)
    standin = settings.translator.standin
    announce(settings, "translator pretrain")
    if standin is None:
        raise UserError(
            f"Profile '{settings.name}' has no stand-in to pretrain: it translates with "
            f"{settings.translator.model}."
        )
    from translate.standin import pretrain

    model_dir = Path(settings.translator.model)
    corpus_path = DataPaths(settings.data_dir).world_dir / "corpus.jsonl"
    with (
        run_lock(model_dir, "palo translator pretrain"),
        progress("pretrain translator", standin.steps) as tick,
    ):
        trained = pretrain(
            standin,
            corpus_path,
            settings.translator.context,
            model_dir,
            lambda step, loss: tick(1, f"loss {loss:.3f}"),
        )
    note(f"{model_dir}: {'trained' if trained else 'up to date'}")


@translator_app.command("seed")
def seed_command(
    lang: LangsOption,
    num: Annotated[
        int | None, typer.Option("--num", min=1, help="How many samples to pick.")
    ] = None,
    engine: EngineOption = None,
    profile: ProfileOption = None,
) -> None:
    """Pick and translate the samples that people review first."""
    settings = load_profile(profile)
    announce(settings, f"translator seed --lang {lang}")
    langs = parse_languages(lang)
    kind = engine_kind(engine, settings.translator)
    _check(settings, settings.source, kind)
    paths = DataPaths(settings.data_dir)
    _ingest(settings.source, paths)
    seed_source = paths.seed_dir / "source"
    wanted = num or settings.translator.seed_samples
    picked = write_seed(paths.source_dir, seed_source, wanted, settings.translator.finetune.seed)
    note(f"Seed: {picked} samples in {seed_source}")
    places = {
        one: Places(seed_source, paths.seed_dir / one, paths.memory(one), paths.verified(one))
        for one in langs
    }
    with watching() as sink:
        reports = _translate_all(settings.translator, kind, places, sink)
    _account(reports, places)


@translator_app.command("train")
def train_command(lang: LangsOption, profile: ProfileOption = None) -> None:
    """Fine-tune the translator on what people verified; the next translate uses the result."""
    settings = load_profile(profile)
    announce(settings, f"translator train --lang {lang}")
    langs = parse_languages(lang)
    lacks = missing(EngineKind.TRANSFORMERS, base_weights(settings.translator))
    if lacks:
        raise MissingResource("Cannot train the translator here:\n- " + "\n- ".join(lacks))
    from translate.finetune import finetune, with_enough
    from translate.scores import score_table

    paths = DataPaths(settings.data_dir)
    ready = with_enough(langs, paths)
    if ready and (left_out := [one for one in langs if one not in ready]):
        note(f"Too little is verified in {' '.join(left_out)}: trained without.")
    with run_lock(settings.translator.finetuned_dir, "palo translator train"):
        report = finetune(settings.translator, ready or langs, paths)
    console.print(score_table(report))


def engine_kind(name: str | None, settings: TranslatorSettings) -> EngineKind:
    if name is None:
        return settings.engine
    if name not in list(EngineKind):
        raise unknown("engine", name, EngineKind)
    return EngineKind(name)


def _source(settings: Profile, source: Path | None) -> tuple[SourceSettings, DataPaths]:
    """The file to read and where its data goes: a folder of its own for `--source`."""
    if source is None:
        return settings.source, DataPaths(settings.data_dir)
    files = settings.source.model_copy(update={"path": source, "images_dir": None})
    return files, DataPaths(source_root(settings.data_dir, source))


def _check(settings: Profile, files: SourceSettings, kind: EngineKind) -> None:
    """Raises MissingResource with everything that this machine lacks, before any work."""
    lacks = []
    if not files.path.is_file():
        how = "run `palo sample build`" if settings.world else "download it, or set source.path"
        if files.path != settings.source.path:
            how = "check the path given with --source"
        lacks.append(f"source file {files.path}: {how}")
    lacks += missing(kind, base_weights(settings.translator))
    if lacks:
        raise MissingResource(
            f"Profile '{settings.name}' cannot translate here. Missing:\n- " + "\n- ".join(lacks)
        )


def _ingest(files: SourceSettings, paths: DataPaths) -> IngestReport:
    with run_lock(paths.source_dir, f"reading {files.path}"):
        report = ingest(files, paths.source_dir)
    state = "up to date" if report.skipped else f"{report.shards} shards written"
    note(f"Source: {report.samples} samples, {report.turns} turns from {files.path} ({state})")
    if report.set_aside:
        aside = paths.source_dir / "set-aside.jsonl"
        note(f"Set aside: {report.set_aside} malformed samples, with reasons in {aside}")
    if report.broken:
        note(f"WARNING: {files.path} is broken: {report.broken}. What came before it is kept.")
    return report


def _translate_all(
    settings: TranslatorSettings,
    kind: EngineKind,
    places: dict[Language, Places],
    sink: Sink,
    retry_errors: bool = False,
) -> list[LanguageReport]:
    reports = []
    with ExitStack() as stack:
        jobs = _jobs(settings, kind, list(places), stack)
        for place, (job, engine) in zip(places.values(), jobs, strict=True):
            reports.append(translate_language(job, place, engine, retry_errors, sink))
            note(reports[-1].line)
    return reports


def _account(reports: list[LanguageReport], places: dict[Language, Places]) -> None:
    """Raises AuditFailed, after all is shown, where a language's shards are not whole."""
    show_account(reports)
    audits = {report.lang: report.audit for report in reports}
    require_whole(audits, {str(lang): place.target_dir for lang, place in places.items()})


def _jobs(
    settings: TranslatorSettings, kind: EngineKind, langs: list[Language], stack: ExitStack
) -> Iterator[tuple[Job, Engine]]:
    """Each language's job with its engine; languages with the same weights share one."""
    current: tuple[Weights, Engine] | None = None
    for lang in langs:
        weights = weights_for(settings, lang) if kind.loads_weights else base_weights(settings)
        if current is None or current[0] != weights:
            stack.close()  # two models at once would not fit on one GPU
            current = (weights, stack.enter_context(open_engine(kind, weights, settings)))
        engine = current[1]
        yield Job.of(lang, str(engine.signature), settings), engine
