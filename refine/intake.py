"""Takes in what reviewers filled in: checked decisions become verified entries of the memory."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from palo.files import read_json, write_json
from palo.memory import VerifiedEntry, VerifiedMemory, english_context
from palo.paths import DataPaths
from palo.shards import read_translated, shard_paths
from refine.decisions import (
    Decision,
    ReviewedTurn,
    ReviewVerdict,
    conflicts,
    decide,
    is_untouched,
    settle,
)
from refine.judgement import Rejection, TurnKey
from refine.review_csv import (
    Problem,
    ReadFile,
    ReadRow,
    errors_path,
    parse_review_id,
    text_hash,
    write_problems,
)
from refine.review_files import read_returned, returned_files

REJECTED_NAME = "rejected.json"


@dataclass(frozen=True)
class Intake:
    """`taken` are decisions that were new, `known` ones that had been taken in before.

    `conflicts` are the rows that disagree, by turn.
    """

    taken: int
    known: int
    stale: int
    problems: tuple[Problem, ...]
    conflicts: tuple[Sequence[Decision], ...] = ()


def take_in(paths: DataPaths, lang: str, memory: VerifiedMemory, now: str) -> Intake:
    """Reads every review CSV of a language; doing it again changes nothing.

    Good rows are taken whatever is wrong with others; what is wrong goes into `*.errors.csv`
    beside each file.
    """
    folder = paths.review(lang)
    files = returned_files(folder)
    rejected = load_rejections(folder)
    intake, fresh = _look(paths, lang, memory, [read_returned(path) for path in files], rejected)
    if fresh:
        memory.put([_entry(one, now) for one in fresh if not _is_rejection(one)])
        _save_rejections(folder, _with_fresh(rejected, fresh))
    _write_sidecars(files, intake.problems)
    return intake


def preview(
    paths: DataPaths, lang: str, memory: VerifiedMemory, arrived: Sequence[ReadFile]
) -> Intake:
    """What `take_in` would do if these files lay in the folder too; changes nothing."""
    folder = paths.review(lang)
    reads = [read_returned(path) for path in returned_files(folder)]
    return _look(paths, lang, memory, [*reads, *arrived], load_rejections(folder))[0]


def read_decisions(
    paths: DataPaths, lang: str, reads: Sequence[ReadFile]
) -> tuple[list[Decision], list[Problem]]:
    """Every filled-in row as a decision, before those that disagree are set apart."""
    problems = [problem for read in reads for problem in read.problems]
    touched = [row for read in reads for row in read.rows if not is_untouched(row)]
    decisions, wrong = _decide_all(touched, lang, paths)
    return decisions, problems + wrong


def _look(
    paths: DataPaths,
    lang: str,
    memory: VerifiedMemory,
    reads: Sequence[ReadFile],
    rejected: dict[str, Rejection],
) -> tuple[Intake, list[Decision]]:
    """What there is to take in, and the decisions that change something."""
    decisions, problems = read_decisions(paths, lang, reads)
    settled, disagreeing = settle(decisions)
    fresh, refused = _fresh(settled, memory.entries(), rejected)
    intake = Intake(
        taken=len(fresh),
        known=len(settled) - len(refused) - len(fresh),
        stale=sum(one.stale for one in fresh),
        problems=(*problems, *disagreeing, *refused),
        conflicts=tuple(conflicts(decisions)),
    )
    return intake, fresh


def load_rejections(folder: Path) -> dict[str, Rejection]:
    """What reviewers rejected without a correction, by review id."""
    path = folder / REJECTED_NAME
    if not path.is_file():
        return {}
    return {key: Rejection(**value) for key, value in read_json(path).items()}


def _save_rejections(folder: Path, rejections: dict[str, Rejection]) -> None:
    if not rejections:
        (folder / REJECTED_NAME).unlink(missing_ok=True)
        return
    write_json(folder / REJECTED_NAME, {key: asdict(one) for key, one in rejections.items()})


def _decide_all(
    touched: Sequence[ReadRow], lang: str, paths: DataPaths
) -> tuple[list[Decision], list[Problem]]:
    ids = [parse_review_id(one.row.id) for one in touched]
    turns = _turns(paths, lang, {key for key in ids if key})
    decisions: list[Decision] = []
    problems: list[Problem] = []
    for one, key in zip(touched, ids, strict=True):
        outcome = decide(one, lang, turns.get(key) if key else None)
        if isinstance(outcome, Decision):
            decisions.append(outcome)
        else:
            problems += outcome
    return decisions, problems


def _turns(paths: DataPaths, lang: str, keys: set[TurnKey]) -> dict[TurnKey, ReviewedTurn]:
    """The turns that reviewers wrote about, from the run's shards and the seed's."""
    found: dict[TurnKey, ReviewedTurn] = {}
    if not keys:
        return found
    wanted: dict[str, list[int]] = defaultdict(list)
    for sample_id, turn in sorted(keys):
        wanted[sample_id].append(turn)
    for path in _all_shards(paths, lang):
        for sample in read_translated(path):
            for turn in wanted.get(sample.sample_id, ()):
                if turn >= min(len(sample.source), len(sample.target)):
                    continue
                key = (sample.sample_id, turn)
                text = sample.target[turn].text
                if key in found:
                    known = found[key]
                    found[key] = replace(known, translations=(*known.translations, text))
                    continue
                context = english_context(sample.source, turn)
                found[key] = ReviewedTurn(*key, sample.source[turn].text, context, (text,))
    return found


def _all_shards(paths: DataPaths, lang: str) -> Iterable[Path]:
    return [*shard_paths(paths.translated(lang)), *shard_paths(paths.seed_dir / lang)]


def _fresh(
    settled: Sequence[Decision],
    known: Sequence[VerifiedEntry],
    rejected: dict[str, Rejection],
) -> tuple[list[Decision], list[Problem]]:
    """The decisions that change something, and the ones that cannot be taken."""
    by_turn = {(entry.sample_id, entry.turn): entry for entry in known}
    fresh, problems = [], []
    for one in settled:
        before = by_turn.get((one.turn.sample_id, one.turn.turn))
        if not _is_rejection(one):
            if before is None or one.id in rejected or not _says_the_same(one, before):
                fresh.append(one)
        elif before is not None:
            problems.append(_verified_before(one, before))
        elif rejected.get(one.id) != _rejection(one):
            fresh.append(one)
    return fresh, problems


def _says_the_same(one: Decision, before: VerifiedEntry) -> bool:
    """An accepted text compares as it survives spreadsheets, a correction letter by letter."""
    if one.verdict is ReviewVerdict.ACCEPT and text_hash(one.text) == text_hash(before.text):
        one = replace(one, text=before.text)
    return _entry(one, before.created) == before


def _is_rejection(one: Decision) -> bool:
    return one.verdict is ReviewVerdict.REJECT


def _rejection(one: Decision) -> Rejection:
    return Rejection(one.exported, one.reviewer, one.batch, one.note)


def _with_fresh(rejected: dict[str, Rejection], fresh: Sequence[Decision]) -> dict[str, Rejection]:
    """A rejection is added; a later text for the same turn lifts it."""
    lifted = {one.id for one in fresh}
    kept = {key: value for key, value in rejected.items() if key not in lifted}
    return kept | {one.id: _rejection(one) for one in fresh if _is_rejection(one)}


def _entry(decision: Decision, now: str) -> VerifiedEntry:
    turn = decision.turn
    return VerifiedEntry(
        source=turn.source,
        context=turn.context,
        text=decision.text,
        sample_id=turn.sample_id,
        turn=turn.turn,
        all_copies=decision.all_copies,
        reviewer=decision.reviewer,
        batch=decision.batch,
        created=now,
    )


def _verified_before(one: Decision, before: VerifiedEntry) -> Problem:
    who = f" by {before.reviewer}" if before.reviewer else ""
    text = f"verified before{who} in {before.batch}: write fix and a correction instead"
    return Problem(one.row.file, one.row.line, one.id, "verdict", one.row.row.verdict, text)


def _write_sidecars(files: Sequence[Path], problems: Sequence[Problem]) -> None:
    by_file: dict[str, list[Problem]] = defaultdict(list)
    for problem in sorted(problems, key=lambda one: (one.file, one.line, one.id)):
        by_file[problem.file].append(problem)
    for path in files:
        write_problems(errors_path(path), by_file[path.name])
