"""`palo translate`, `palo translator seed | train` and `palo memory ...`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from palo.benchmark_set import BenchmarkSet, read_set
from palo.console import (
    LangsOption,
    ProfileOption,
    SourceOption,
    announce,
    console,
    note,
    table,
)
from palo.engines.open import missing, open_engine
from palo.engines.stream import Engine, Weights
from palo.errors import MissingResource, UserError, unknown
from palo.files import run_lock
from palo.languages import ENGLISH, Language, parse_languages
from palo.memory import Entry, TranslationMemory, VerifiedEntry, VerifiedMemory, salvage
from palo.paths import DataPaths, source_root
from palo.schemas import TurnStatus
from palo.settings import EngineKind, Profile, SourceSettings, TranslatorSettings, load_profile
from palo.shards import shard_paths
from translate.account import require_whole
from translate.benchmark_set import write_source
from translate.estimate import estimate_all
from translate.events import watching
from translate.exchange import Fate, take_in, units_of, write_tmx
from translate.finetune import base_weights, finetune, score_table, weights_for, with_enough
from translate.ingest import ingest, write_seed
from translate.job import TranslationJob
from translate.run import LanguageReport, SeedPaths, translate_language

_ALWAYS_TOLD = (Fate.VERIFIED, Fate.KNOWN)
_EXAMPLE_CHARS = 80

EngineOption = Annotated[
    str | None, typer.Option("--engine", help="vllm, ray, openai, transformers or scripted.")
]
OneLangOption = Annotated[str, typer.Option("--lang", help="One language.")]

translator_app = typer.Typer(
    name="translator", help="Make and improve the translation model.", no_args_is_help=True
)
memory_app = typer.Typer(name="memory", help="The translation memories.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command("translate")(translate_command)
    app.add_typer(translator_app)
    app.add_typer(memory_app)


def translate_command(
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
    settings, paths = _begin(f"translate --lang {lang}", profile)
    langs = parse_languages(lang)
    kind = engine_kind(engine, settings.translator)
    files = settings.source
    if source is not None:  # in a data folder of its own
        files = files.model_copy(update={"path": source, "images_dir": None})
        paths = DataPaths(source_root(settings.data_dir, source))
    if not estimate:
        translate_file(settings, files, paths, langs, kind, retry_errors, events, metrics)
        return
    _read_source(settings, files, paths, kind)
    with ExitStack() as stack:
        jobs = _jobs(settings.translator, kind, langs, stack)
        estimate_all(jobs, paths, kind, sample)


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

    Raises MissingResource for what this machine lacks, AccountBroken where shards are not whole.
    """
    _read_source(settings, files, paths, kind)
    _translate(settings.translator, kind, langs, paths, retry_errors, events, metrics)


def translate_set(
    settings: Profile, root: Path, langs: Sequence[Language], kind: EngineKind, retry_errors: bool
) -> BenchmarkSet:
    """Translates the English benchmark set in `root`, which `settings` are at work on."""
    english = read_set(root, ENGLISH)
    write_source(english, settings.source.path)
    paths = settings.paths
    translate_file(settings, settings.source, paths, langs, kind, retry_errors)
    return english


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
    settings, paths = _begin(f"translator seed --lang {lang}", profile)
    langs = parse_languages(lang)
    kind = engine_kind(engine, settings.translator)
    _read_source(settings, settings.source, paths, kind)
    seed_paths = SeedPaths(settings.data_dir)
    translator = settings.translator
    wanted, seed = num or translator.seed_samples, translator.finetune.seed
    picked = write_seed(paths.source_dir, seed_paths.source_dir, wanted, seed)
    note(f"Seed: {picked} samples in {seed_paths.source_dir}")
    _translate(translator, kind, langs, seed_paths)


@translator_app.command("train")
def train_command(lang: LangsOption, profile: ProfileOption = None) -> None:
    """Fine-tune the translator on what people verified; the next translate uses the result."""
    settings, paths = _begin(f"translator train --lang {lang}", profile)
    langs = parse_languages(lang)
    lacks = missing(EngineKind.TRANSFORMERS, base_weights(settings.translator))
    if lacks:
        raise MissingResource("Cannot train the translator here:\n- " + "\n- ".join(lacks))
    ready = with_enough(langs, paths)
    if ready and (left_out := [lang for lang in langs if lang not in ready]):
        note(f"Too little is verified in {' '.join(left_out)}: trained without.")
    with run_lock(settings.translator.finetuned_dir, "palo translator train"):
        report = finetune(settings.translator, ready or langs, paths)
    console.print(score_table(report))


@memory_app.command("stats")
def stats_command(
    lang: LangsOption = "all", source: SourceOption = None, profile: ProfileOption = None
) -> None:
    """Per language: entries by status, what people verified, failures by reason, size."""
    _, paths = _begin(f"memory stats --lang {lang}", profile, source)
    titles = ("translated", "failed", "verified", "translators", "MB")
    shown = table("language", *titles, title="Translation memories")
    problems: Counter[str] = Counter()
    for code in parse_languages(lang):
        files = [path for path in (paths.memory(code), paths.verified(code)) if path.is_file()]
        if not files:
            shown.add_row(code, *"-----")
            continue
        with (
            TranslationMemory.existing(paths.memory(code)) as memory,
            VerifiedMemory.existing(paths.verified(code)) as verified,
        ):
            by_status = memory.counts("status")
            problems += memory.problems()
            shown.add_row(
                code,
                f"{by_status[TurnStatus.TRANSLATED]:,}",
                f"{by_status[TurnStatus.FAILED]:,}",
                f"{verified.count():,}",
                f"{len(memory.counts('signature'))}",
                f"{sum(path.stat().st_size for path in files) / 1e6:.1f}",
            )
    console.print(shown)
    for problem, number in problems.most_common():
        note(f"failed: {problem}: {number:,}")


@memory_app.command("show")
def show_command(
    text: Annotated[str, typer.Argument(help="An English text, whole, as the source has it.")],
    lang: LangsOption = "all",
    source: SourceOption = None,
    profile: ProfileOption = None,
) -> None:
    """Everything the memories know of a text: every translation, and where it came from."""
    settings, paths = _begin(f"memory show --lang {lang}", profile, source)
    known = False
    for code in parse_languages(lang):
        with (
            TranslationMemory.existing(paths.memory(code)) as memory,
            VerifiedMemory.existing(paths.verified(code)) as verified,
        ):
            entries: list[Entry | VerifiedEntry] = [
                *memory.of_source(text.strip()),
                *verified.of_source(text.strip()),
            ]
        for entry in entries:
            known = True
            note(f"{code}  {entry.text}")
            for name, value in _provenance(entry).items():
                note(f"    {name}: {value}")
    if not known:
        raise UserError(
            f"No memory of profile '{settings.name}' holds the text '{text}'. It must be whole; "
            "protected spans (URLs, code, boxes) are written <x1>, <x2>, ... in machine entries."
        )


@memory_app.command("export")
def export_command(
    path: Annotated[Path, typer.Argument(help="The TMX file to write.")],
    lang: OneLangOption,
    source: SourceOption = None,
    profile: ProfileOption = None,
) -> None:
    """Write a language's memories as TMX 1.4b; verified units first."""
    _, paths = _begin(f"memory export --lang {lang}", profile, source)
    code = _single(lang)
    _require_memory(paths, code)
    with (
        TranslationMemory.existing(paths.memory(code)) as memory,
        VerifiedMemory.existing(paths.verified(code)) as verified,
    ):
        written, left_out = write_tmx(path, code, units_of(memory, verified))
    note(f"{path}: {written:,} units")
    if left_out:
        note(f"left out: {left_out:,} units with control characters XML can't hold")


@memory_app.command("import")
def import_command(
    path: Annotated[Path, typer.Argument(help="The TMX file to read.")],
    lang: OneLangOption,
    reviewer: Annotated[str, typer.Option(help="Who stands for it, where the file says no one.")],
    source: SourceOption = None,
    profile: ProfileOption = None,
) -> None:
    """Take a TMX file in as verified translations; what the memories say already is skipped."""
    settings, paths = _begin(f"memory import --lang {lang}", profile, source)
    code = _single(lang)
    shards = shard_paths(paths.source_dir)
    if not shards:
        raise UserError(
            f"Profile '{settings.name}' has no source yet: run `palo translate --lang {code}` or "
            "`palo translator seed` first, so that units find their turns."
        )
    with (
        run_lock(paths.memory(code).parent / code, f"TMX import into {code}"),
        TranslationMemory.existing(paths.memory(code)) as memory,
        VerifiedMemory(paths.verified(code)) as verified,
    ):
        context = settings.translator.context
        taken = take_in(path, code, reviewer, shards, context, memory, verified)
    # all fates with their numbers, then an example of each that a person may want to mend
    told = [fate for fate in Fate if taken.fates[fate] or fate in _ALWAYS_TOLD]
    shares = " + ".join(f"{taken.fates[fate]:,} {fate}" for fate in told)
    note(f"{path}: {taken.fates.total():,} units = {shares}")
    note(f"turns verified: {taken.turns:,}")
    for fate, english in taken.first.items():
        if fate not in _ALWAYS_TOLD:
            note(f"the first {fate}: {english[:_EXAMPLE_CHARS]}")


@memory_app.command("salvage")
def salvage_command(
    lang: OneLangOption, source: SourceOption = None, profile: ProfileOption = None
) -> None:
    """Copy what can be read of a damaged memory into a new file; the damaged one stays."""
    _, paths = _begin(f"memory salvage --lang {lang}", profile, source)
    code = _single(lang)
    _require_memory(paths, code)
    saved, hopeless = [], []
    with run_lock(paths.memory_dir / code, f"salvage of the memories of {code}"):
        for path in (paths.memory(code), paths.verified(code)):
            if not path.is_file():
                continue
            try:
                made = salvage(path)
            except UserError as error:
                hopeless.append(str(error))
                continue
            if made is None:
                note(f"{path} is whole.")
            else:
                saved.append((path, made))
    for path, made in saved:
        name = path.name
        note(f"{made.path}: {made.rows:,} rows saved, {made.lost:,} row numbers unreadable")
        note(
            f"To go on with it, move {path} away, with {name}-wal and {name}-shm where they are, "
            f"and rename {made.path.name} to {name}. Then run the command again: it asks for what "
            "is lost."
        )
    if hopeless:
        raise UserError("\n".join(hopeless))


def _begin(what: str, profile: str | None, source: Path | None = None) -> tuple[Profile, DataPaths]:
    """The profile, announced, and where its data or that of `--source` lies."""
    settings = load_profile(profile).on(source)
    announce(settings, what)
    return settings, settings.paths


def engine_kind(name: str | None, settings: TranslatorSettings) -> EngineKind:
    if name is None:
        return settings.engine
    if name not in list(EngineKind):
        raise unknown("engine", name, EngineKind)
    return EngineKind(name)


def _read_source(
    settings: Profile, files: SourceSettings, paths: DataPaths, kind: EngineKind
) -> None:
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
    with run_lock(paths.source_dir, f"reading {files.path}"):
        report = ingest(files, paths.source_dir)
    state = "up to date" if report.skipped else f"{report.shards} shards written"
    note(f"Source: {report.samples} samples, {report.turns} turns from {files.path} ({state})")
    if report.set_aside:
        aside = paths.source_dir / "set-aside.jsonl"
        note(f"Set aside: {report.set_aside} malformed samples, with reasons in {aside}")
    if report.broken:
        note(f"WARNING: {files.path} is broken: {report.broken}. What came before it is kept.")


def _translate(
    settings: TranslatorSettings,
    kind: EngineKind,
    langs: Sequence[Language],
    paths: DataPaths,
    retry_errors: bool = False,
    events: Path | None = None,
    metrics: Path | None = None,
) -> None:
    """Raises AccountBroken, after all is shown, where a language's shards are not whole."""
    reports = []
    with watching(events, metrics) as sink, ExitStack() as stack:
        for job, engine in _jobs(settings, kind, langs, stack):
            reports.append(translate_language(job, paths, engine, retry_errors, sink))
            note(reports[-1].line)
    show_account(reports)
    require_whole({report.lang: report.account for report in reports}, paths)


def _jobs(
    settings: TranslatorSettings, kind: EngineKind, langs: Sequence[Language], stack: ExitStack
) -> Iterator[tuple[TranslationJob, Engine]]:
    """Each language's job with its engine; languages with the same weights share one."""
    current: tuple[Weights, Engine] | None = None
    for lang in langs:
        weights = weights_for(settings, lang) if kind.loads_weights else base_weights(settings)
        if current is None or current[0] != weights:
            stack.close()  # two models at once would not fit on one GPU
            current = (weights, stack.enter_context(open_engine(kind, weights, settings)))
        engine = current[1]
        yield TranslationJob.of(lang, str(engine.signature), settings), engine


def show_account(reports: Sequence[LanguageReport]) -> None:
    """A table where there are several languages, failures by reason, and the audit's sentence."""
    if len(reports) > 1:
        console.print(account_table(reports))
    for report in reports:
        if report.account.by_person:
            note(
                f"{report.lang}: {report.account.by_person:,} verified turns differ from the "
                "source in protected spans or image tags, as a person wrote them"
            )
    whole = {report.lang: report.account for report in reports if report.account.balanced}
    if whole:
        turns = sum(account.turns for account in whole.values())
        read = sum(account.reread for account in whole.values())
        shards = sum(account.shards for account in whole.values())
        note(
            f"Audit of {', '.join(whole)}: all {turns:,} source turns are in the shards; no sample "
            f"missing, doubled or foreign; structure identical ({read:,} of {shards:,} shards read "
            f"back{', the others unchanged since they were' if read < shards else ''})."
        )


def account_table(reports: Sequence[LanguageReport]) -> Table:
    """Fits 80 columns with seven-digit counts."""
    names = [name.replace("translated", "trans-\nlated") for name in map(str, TurnStatus)]

    def cells(of: Sequence[LanguageReport]) -> list[str]:
        numbers = [sum(report.account.turns for report in of)]
        for status in TurnStatus:
            numbers.append(sum(report.account.by_status[status] for report in of))
        return [f"{number:,}" for number in (*numbers, sum(report.fill.sent for report in of))]

    rows: list[Sequence[str]] = []
    for report in reports:
        verdict = "whole" if report.account.balanced else "[bold red]BROKEN[/]"
        rows.append((report.lang, *cells([report]), verdict))
    rows += [(), ("together", *cells(reports), "")]
    return table("turns", "source", *names, "sent", text="audit", rows=rows, narrow=True)


def _single(lang: str) -> str:
    langs = parse_languages(lang)
    if len(langs) != 1:
        raise UserError(f"One language at a time, not '{lang}'.")
    return str(langs[0])


def _require_memory(paths: DataPaths, lang: str) -> None:
    if not paths.memory(lang).is_file() and not paths.verified(lang).is_file():
        raise UserError(
            f"There is no memory of '{lang}' in {paths.memory_dir}: run `palo translate --lang "
            f"{lang}` first."
        )


def _provenance(entry: Entry | VerifiedEntry) -> dict[str, str]:
    named = {"after": entry.context} if entry.context else {}
    if isinstance(entry, VerifiedEntry):
        turn = "every copy" if entry.all_copies else f"sample {entry.sample_id}, turn {entry.turn}"
        said_by = f"{entry.reviewer} ({entry.batch}), {entry.created}, for {turn}"
        return named | {"verified by": said_by}
    logprob = "-" if entry.mean_logprob is None else f"{entry.mean_logprob:.3f}"
    return named | {
        "status": entry.status + (f" ({entry.problem})" if entry.problem else ""),
        "engine": f"{entry.engine}, {entry.created}, attempts {entry.attempts}, "
        f"finish {entry.finish_reason}, mean logprob {logprob}",
        "translator": entry.signature,
        "prompt": entry.prompt_version,
    }
