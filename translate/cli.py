"""`palo translate`, `palo translator seed | train` and `palo memory ...`."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from palo.benchmark_set import BenchmarkSet, read_set
from palo.console import LangsOption, ProfileOption, SourceOption, announce, console, note, table
from palo.engines.open import engines_for, missing, replicas, visible_gpus
from palo.engines.stream import Engine, Weights
from palo.errors import MissingResource, UserError, unknown
from palo.files import run_lock
from palo.languages import ENGLISH, Language, parse_languages
from palo.memory import (
    Entry,
    Memories,
    TranslationMemory,
    VerifiedEntry,
    VerifiedMemory,
    open_memories,
    salvage,
)
from palo.paths import DataPaths, source_root
from palo.schemas import TurnStatus
from palo.settings import EngineKind, Profile, TranslatorSettings, load_profile
from palo.shards import shard_paths
from translate.account import Account, require_whole
from translate.benchmark_set import write_source
from translate.estimate import estimate_all, full_load
from translate.events import watching
from translate.exchange import Fate, take_in, units_of, write_tmx
from translate.finetune import (
    base_weights,
    finetune,
    score_table,
    scoring_engine,
    weights_for,
    with_enough,
)
from translate.ingest import ingest, write_seed
from translate.job import TranslationJob
from translate.run import LanguageReport, SeedPaths, translate_language

_ALWAYS_TOLD = (Fate.VERIFIED, Fate.KNOWN)
_EXAMPLE_CHARS = 80
READING_PATIENCE_S = 3600.0  # for another job that reads the same source

EngineOption = Annotated[
    str | None, typer.Option("--engine", help="vllm, ray, openai, transformers or scripted.")
]
RetryErrorsOption = Annotated[
    bool, typer.Option("--retry-errors", help="Ask again what got no answer last time.")
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
    source: Annotated[Path | None, typer.Option(help="Any LLaVA-Instruct JSON file.")] = None,
    engine: EngineOption = None,
    retry_errors: RetryErrorsOption = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Measure a sample and say what the rest would take.")
    ] = False,
    sample: Annotated[int | None, typer.Option(min=2, help="Segments for --estimate.")] = None,
    events: Annotated[Path | None, typer.Option(help="Append JSON events to this file.")] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="Keep Prometheus metrics in this file.")
    ] = None,
    profile: ProfileOption = None,
) -> None:
    """Translate the source into other languages. Run it again to go on after a stop."""
    settings, how = _begin(f"translate --lang {lang}", profile), ""
    langs = parse_languages(lang)
    kind = engine_kind(engine, settings.translator)
    if source is not None:  # in a data folder of its own
        how = "check the path given with --source"
        files = settings.source.model_copy(update={"path": source, "images_dir": None})
        changes = {"source": files, "data_dir": source_root(settings.data_dir, source)}
        settings = settings.model_copy(update=changes)
    _read_source(settings, kind, how)
    if not estimate:
        _translate(settings.translator, kind, langs, settings.paths, retry_errors, events, metrics)
        return
    with closing(_jobs(settings.translator, kind, langs)) as jobs:
        estimate_all(jobs, settings.paths, full_load(settings.translator, kind), sample)


def translate_set(
    settings: Profile, root: Path, langs: Sequence[Language], kind: EngineKind, retry_errors: bool
) -> BenchmarkSet:
    """Translates the English benchmark set in `root`, which `settings` are at work on."""
    english = read_set(root, ENGLISH)
    write_source(english, settings.source.path)
    _read_source(settings, kind)
    _translate(settings.translator, kind, langs, settings.paths, retry_errors)
    return english


@translator_app.command("seed")
def seed_command(
    lang: LangsOption,
    num: Annotated[int | None, typer.Option(min=1, help="How many samples to pick.")] = None,
    engine: EngineOption = None,
    profile: ProfileOption = None,
) -> None:
    """Pick and translate the seed. These are the samples that people review first."""
    settings = _begin(f"translator seed --lang {lang}", profile)
    langs = parse_languages(lang)
    translator, seed_paths = settings.translator, SeedPaths(settings.data_dir, settings.memory_dir)
    kind = engine_kind(engine, translator)
    _read_source(settings, kind)
    wanted, seed = num or translator.seed_samples, translator.finetune.seed
    picked = write_seed(settings.paths.source_dir, seed_paths.source_dir, wanted, seed)
    note(f"Seed: {picked} samples in {seed_paths.source_dir}")
    _translate(translator, kind, langs, seed_paths)


@translator_app.command("train")
def train_command(lang: LangsOption, profile: ProfileOption = None) -> None:
    """Fine-tune on what people verified. The next translate uses the translator that results.

    What is worse on held-out segments than before is refused: exit code 3.
    """
    settings = _begin(f"translator train --lang {lang}", profile)
    paths, langs = settings.paths, parse_languages(lang)
    translator, base = settings.translator, base_weights(settings.translator)
    kinds = (EngineKind.TRANSFORMERS, scoring_engine(translator))  # what trains, what scores
    lacks = dict.fromkeys(line for kind in kinds for line in missing(kind, base))
    if lacks:
        raise MissingResource("Cannot train the translator here:\n- " + "\n- ".join(lacks))
    ready = with_enough(langs, paths)
    if ready and (left_out := [lang for lang in langs if lang not in ready]):
        note(f"Too little is verified in {' '.join(left_out)}: trained without.")
    with run_lock(translator.finetuned_dir, "palo translator train"):
        outcome = finetune(translator, ready or langs, paths)
    if outcome.scores:
        console.print(score_table(outcome.scores))
    outcome.require_accepted(translator)


@memory_app.command("stats")
def stats_command(
    lang: LangsOption = "all", source: SourceOption = None, profile: ProfileOption = None
) -> None:
    """Say what memories hold. Entries by status, what was verified, failures by reason, size."""
    paths = _begin(f"memory stats --lang {lang}", profile, source).paths
    rows: list[Sequence[str]] = []
    problems: Counter[str] = Counter()
    for code in parse_languages(lang):
        files = [path for path in (paths.memory(code), paths.verified(code)) if path.is_file()]
        if not files:
            rows.append((code, *"-----"))
            continue
        with open_memories(paths, code, look=True) as (memory, verified):
            statuses = memory.counts("status")
            problems += memory.problems()
            counts = (statuses[TurnStatus.TRANSLATED], statuses[TurnStatus.FAILED])
            megabytes = sum(path.stat().st_size for path in files) / 1e6
            numbers = (f"{number:,}" for number in (*counts, verified.count()))
            rows.append((code, *numbers, f"{len(memory.counts('signature'))}", f"{megabytes:.1f}"))
    titles = ("translated", "failed", "verified", "translators", "MB")
    console.print(table("language", *titles, rows=rows, title="Translation memories"))
    for problem, number in problems.most_common():
        note(f"failed: {problem}: {number:,}")


@memory_app.command("show")
def show_command(
    text: Annotated[str, typer.Argument(help="An English text, whole, as the source has it.")],
    lang: LangsOption = "all",
    source: SourceOption = None,
    profile: ProfileOption = None,
) -> None:
    """Show what the memories know of a text. Every translation, and where it came from."""
    settings = _begin(f"memory show --lang {lang}", profile, source)
    paths, known = settings.paths, False
    for code in parse_languages(lang):
        with open_memories(paths, code, look=True) as (memory, verified):
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
    """Write a language's memories as TMX 1.4b. Verified units come first."""
    paths = _begin(f"memory export --lang {lang}", profile, source).paths
    code = _single(lang, paths)
    with open_memories(paths, code, look=True) as memories:
        written, left_out = write_tmx(path, code, units_of(memories))
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
    """Take a TMX file in as verified translations. What the memories say already is skipped."""
    settings = _begin(f"memory import --lang {lang}", profile, source)
    code, paths = _single(lang), settings.paths
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
        taken = take_in(path, code, reviewer, shards, context, Memories(memory, verified))
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
    """Copy what a damaged memory still holds. Into a new file; the damaged one stays."""
    paths = _begin(f"memory salvage --lang {lang}", profile, source).paths
    code = _single(lang, paths)
    saved, hopeless = [], []
    with run_lock(paths.memory_dir / code, f"salvage of the memories of {code}"):
        for path in (paths.memory(code), paths.verified(code)):
            if not path.is_file():
                continue
            try:
                if made := salvage(path):
                    saved.append((path, made))
                else:
                    note(f"{path} is whole.")
            except UserError as error:
                hopeless.append(str(error))
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


def _begin(what: str, profile: str | None, source: Path | None = None) -> Profile:
    """The profile, at work on `--source` where there is one, announced."""
    settings = load_profile(profile).on(source)
    announce(settings, what)
    return settings


def engine_kind(name: str | None, settings: TranslatorSettings) -> EngineKind:
    if name is None:
        return settings.engine
    if name not in list(EngineKind):
        raise unknown("engine", name, EngineKind)
    return EngineKind(name)


def _read_source(settings: Profile, kind: EngineKind, how: str = "") -> None:
    """Raises MissingResource with everything that this machine lacks, before any work; `how` a
    source file that is not there could be mended."""
    _tell_width(kind, settings.translator)
    files, source_dir, lacks = settings.source, settings.paths.source_dir, []
    if not files.path.is_file():
        usual = "run `palo sample build`" if settings.world else "download it, or set source.path"
        lacks.append(f"source file {files.path}: {how or usual}")
    lacks += missing(kind, base_weights(settings.translator))
    if lacks:
        raise MissingResource(
            f"Profile '{settings.name}' cannot translate here. Missing:\n- " + "\n- ".join(lacks)
        )
    # jobs of an array, one a language, all begin with it
    with run_lock(source_dir, f"reading {files.path}", READING_PATIENCE_S):
        report = ingest(files, source_dir)
    state = "up to date" if report.skipped else f"{report.shards} shards written"
    note(f"Source: {report.samples} samples, {report.turns} turns from {files.path} ({state})")
    if report.set_aside:
        aside = source_dir / "set-aside.jsonl"
        note(f"Set aside: {report.set_aside} malformed samples, with reasons in {aside}")
    if report.broken:
        note(f"WARNING: {files.path} is broken: {report.broken}. What came before it is kept.")


def _tell_width(kind: EngineKind, settings: TranslatorSettings) -> None:
    """What a run will use of this machine's GPUs. Raises UserError where they are too few."""
    number, share = replicas(kind, settings), settings.tensor_parallel_size
    if kind is EngineKind.VLLM and (gpus := visible_gpus()):
        more = "" if number == gpus // share else "; data_parallel_size: auto would use all"
        note(f"GPUs: {number * share} of {gpus}, {number} x the model on {share}{more}")


def _translate(
    settings: TranslatorSettings,
    kind: EngineKind,
    langs: Sequence[Language],
    paths: DataPaths,
    retry_errors: bool = False,
    events: Path | None = None,
    metrics: Path | None = None,
) -> None:
    """Tells of each language and of the audit; where there are several, in a table. Raises
    NotWhole, after all is shown, where a language's shards are not whole."""
    reports = []
    with watching(events, metrics) as sink, closing(_jobs(settings, kind, langs)) as jobs:
        for job, engine in jobs:
            reports.append(translate_language(job, paths, engine, retry_errors, sink))
            note(reports[-1].line)
    if len(reports) > 1:
        console.print(_account_table(reports))
    for report in reports:
        if report.account.by_person:
            note(
                f"{report.lang}: {report.account.by_person:,} verified turns differ from the "
                "source in protected spans or image tags, as a person wrote them"
            )
    accounts = {report.lang: report.account for report in reports}
    whole = {lang: account for lang, account in accounts.items() if account.balanced}
    if whole:
        audit = sum(whole.values(), Account())
        others = ", the others unchanged since they were" if audit.reread < audit.shards else ""
        note(
            f"Audit of {', '.join(whole)}: all {audit.turns:,} source turns are in the shards; no "
            "sample missing, doubled or foreign; structure identical "
            f"({audit.reread:,} of {audit.shards:,} shards read back{others})."
        )
    require_whole(accounts, paths)


def _jobs(
    settings: TranslatorSettings, kind: EngineKind, langs: Sequence[Language]
) -> Generator[tuple[TranslationJob, Engine]]:
    """Each language's job with its engine."""

    def weights_of(lang: Language) -> Weights:
        return weights_for(settings, lang) if kind.loads_weights else base_weights(settings)

    with closing(engines_for(kind, list(map(weights_of, langs)), settings)) as engines:
        for lang, engine in zip(langs, engines, strict=True):
            yield TranslationJob.of(lang, str(engine.signature), settings), engine


def _account_table(reports: Sequence[LanguageReport]) -> Table:
    """Fits 80 columns with seven-digit counts."""
    names = [name.replace("translated", "trans-\nlated") for name in map(str, TurnStatus)]

    def row(name: str, account: Account, sent: int, verdict: str) -> Sequence[str]:
        numbers = (account.turns, *(account.by_status[status] for status in TurnStatus), sent)
        return name, *(f"{number:,}" for number in numbers), verdict

    rows = []
    for report in reports:
        verdict = "whole" if report.account.balanced else "[bold red]BROKEN[/]"
        rows.append(row(report.lang, report.account, report.fill.sent, verdict))
    together = sum((report.account for report in reports), Account())
    rows += [(), row("together", together, sum(report.fill.sent for report in reports), "")]
    return table("turns", "source", *names, "sent", text="audit", rows=rows, narrow=True)


def _single(lang: str, paths: DataPaths | None = None) -> str:
    """The language, of which `paths` must have a memory."""
    langs = parse_languages(lang)
    if len(langs) != 1:
        raise UserError(f"One language at a time, not '{lang}'.")
    code = str(langs[0])
    if paths and not (paths.memory(code).is_file() or paths.verified(code).is_file()):
        raise UserError(
            f"There is no memory of '{code}' in {paths.memory_dir}: run `palo translate --lang "
            f"{code}` first."
        )
    return code


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
