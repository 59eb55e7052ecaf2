"""Takes in what reviewers filled in: rows are checked, and become verified entries of the memory.

Good rows are taken whatever is wrong with others. What is wrong goes into `*.errors.csv` beside
each file, and doing it again changes nothing. Where reviewers disagree none is taken, until a
third person's word in an adjudication batch decides.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from palo.checks.language import LanguageId
from palo.checks.structure import reframed, without_frame
from palo.errors import UserError, nearest
from palo.files import file_digest, read_json, replaced, run_lock, write_json
from palo.memory import VerifiedEntry, VerifiedMemory, check_memory, english_context
from palo.paths import DataPaths
from palo.schemas import Verdict
from palo.shards import read_translated, shard_paths
from refine.filters import Filter, TurnPair, completeness, faults, language
from refine.judgement import Rejection
from refine.review_file import (
    ADJUDICATION,
    XLSX,
    ErrorType,
    Problem,
    ReadFile,
    ReviewRow,
    ReviewVerdict,
    errors_path,
    parse_export_hash,
    parse_review_id,
    read_review,
    returned_files,
    text_hash,
    translation_hash,
    write_problems,
)
from refine.signatures import TurnKey

REJECTED_NAME = "rejected.json"
_DIGEST_CHARS = 8
_YES = frozenset({"yes", "y", "true", "1", "x"})
_NO = frozenset({"", "no", "n", "false", "0"})
# A person's word beats the machine's, but not the structure: these must hold for it, too.
_MUST_HOLD: tuple[Filter, ...] = (
    completeness.structure,
    completeness.placeholder,
    completeness.empty,
    language.script,
)
# whatever their verdict
_STRICT = frozenset({completeness.placeholder.name, faults.encoding.name})


@dataclass(frozen=True)
class ReviewedTurn:
    """A turn as the shards have it now; `translations` are all there are (run and seed)."""

    sample_id: str
    turn: int
    source: str
    context: str
    translations: tuple[str, ...]

    def exported(self, translation_hash: str) -> str | None:
        """The translation that was exported with that hash, image tag and all, if it is there."""
        same = (text for text in self.translations if _plain_hash(text) == translation_hash)
        return next(same, None)


@dataclass(frozen=True)
class Decision:
    """A checked row. `entry` is what the memory would hold, with text "" for a rejection."""

    id: str
    verdict: ReviewVerdict
    turn: ReviewedTurn
    entry: VerifiedEntry  # without its time
    row: ReviewRow

    @property
    def stale(self) -> bool:
        """Whether the shards hold another translation by now than the reviewed one."""
        return self.turn.exported(translation_hash(self.row)) is None

    @property
    def rejection(self) -> Rejection | None:
        if self.verdict is not ReviewVerdict.REJECT:
            return None
        return Rejection(
            translation=translation_hash(self.row),
            reviewer=self.entry.reviewer,
            batch=self.entry.batch,
            note=self.row.note.strip(),
        )


@dataclass(frozen=True)
class Intake:
    """Decisions that are new, and that were known before; `conflicts` are rows by turn."""

    taken: int
    known: int
    stale: int
    problems: tuple[Problem, ...]
    conflicts: tuple[Sequence[Decision], ...]


def take_in(paths: DataPaths, lang: str, memory: VerifiedMemory, now: str) -> Intake:
    """Reads every review file of a language, and says in sidecars what is not taken."""
    folder = paths.review(lang)
    files = returned_files(folder)
    intake, fresh = _look(paths, lang, memory, [read_review(path) for path in files])
    if fresh:
        verified = [decision.entry for decision in fresh if not decision.rejection]
        memory.put([replace(entry, created=now) for entry in verified])
        # a later text for the same turn lifts its rejection
        rejected = load_rejections(folder)
        for decision in fresh:
            rejected.pop(decision.id, None)
        rejected |= {decision.id: decision.rejection for decision in fresh if decision.rejection}
        if rejected:
            content = {key: asdict(rejection) for key, rejection in rejected.items()}
            write_json(folder / REJECTED_NAME, content)
        else:
            (folder / REJECTED_NAME).unlink(missing_ok=True)
    problems = sorted(intake.problems, key=lambda problem: (problem.line, problem.id))
    for path in files:
        write_problems(errors_path(path), [told for told in problems if told.file == path.name])
    return intake


def import_file(paths: DataPaths, lang: str, file: Path, now: str, dry_run: bool) -> Intake:
    """Copies a file that came by mail into the review folder and takes it in.

    With `dry_run` it only says what that would do. The same file a second time changes nothing.
    Raises UserError where it cannot be read.
    """
    _read_mailed(file)
    target = paths.review(lang) / own_name(file)
    check_memory(paths.verified(lang))
    if dry_run:
        reads = [read_review(path) for path in returned_files(target.parent)]
        if not target.exists():
            reads.append(read_review(file, target.name))
        with VerifiedMemory.existing(paths.verified(lang)) as memory:
            return _look(paths, lang, memory, reads)[0]
    with (
        run_lock(paths.refined(lang), f"palo review import {lang}"),
        VerifiedMemory(paths.verified(lang)) as memory,
    ):
        if not target.exists():
            with replaced(target) as temporary:
                temporary.write_bytes(file.read_bytes())
        return take_in(paths, lang, memory, now)


def own_name(file: Path) -> str:
    """`batch-0001-1a2b3c4d.csv`: the content is in the name, so no other file is overwritten."""
    stem = file.stem.lstrip(".~") or "review"
    suffix = XLSX if file.suffix.lower() == XLSX else ".csv"
    return f"{stem}-{file_digest(file)[:_DIGEST_CHARS]}{suffix}"


def languages_of(file: Path) -> list[str]:
    """The languages that the rows name. Raises UserError where the file cannot be read at all."""
    return sorted({row.lang.strip() for row in _read_mailed(file).rows} - {""})


def _read_mailed(file: Path) -> ReadFile:
    if not file.is_file():
        raise UserError(f"{file} is no file. Name the review CSV that came back.")
    read = read_review(file)
    if not read.rows and read.problems:
        raise UserError(f"{file} cannot be taken in: {read.problems[0].problem}")
    return read


def load_rejections(folder: Path) -> dict[str, Rejection]:
    """What reviewers rejected without a correction, by review id."""
    return {key: Rejection(**value) for key, value in read_json(folder / REJECTED_NAME, {}).items()}


def _look(
    paths: DataPaths, lang: str, memory: VerifiedMemory, reads: Sequence[ReadFile]
) -> tuple[Intake, list[Decision]]:
    """What there is to take in, and the decisions that change something."""
    decisions, problems = read_decisions(paths, lang, reads)
    settled, disagreeing = settle(decisions)
    problems += conflict_problems(disagreeing)
    verified = {(entry.sample_id, entry.turn): entry for entry in memory.entries()}
    rejected = load_rejections(paths.review(lang))
    fresh, refused = [], []
    for decision in settled:
        before = verified.get((decision.turn.sample_id, decision.turn.turn))
        if not decision.rejection:
            if before is None or decision.id in rejected or not _says_the_same(decision, before):
                fresh.append(decision)
        elif before is not None:
            who = f" by {before.reviewer}" if before.reviewer else ""
            said = f"verified before{who} in {before.batch}: write fix and a correction instead"
            refused.append(decision.row.problem("verdict", said))
        elif rejected.get(decision.id) != decision.rejection:
            fresh.append(decision)
    intake = Intake(
        taken=len(fresh),
        known=len(settled) - len(refused) - len(fresh),
        stale=sum(decision.stale for decision in fresh),
        problems=(*problems, *refused),
        conflicts=tuple(disagreeing),
    )
    return intake, fresh


def _says_the_same(decision: Decision, before: VerifiedEntry) -> bool:
    """An accepted text compares as it survives spreadsheets, a correction letter by letter."""
    entry = replace(decision.entry, created=before.created)
    if decision.verdict is ReviewVerdict.ACCEPT and text_hash(entry.text) == text_hash(before.text):
        entry = replace(entry, text=before.text)
    return entry == before


def read_decisions(
    paths: DataPaths, lang: str, reads: Sequence[ReadFile]
) -> tuple[list[Decision], list[Problem]]:
    """Every filled-in row as a decision, before those that disagree are set apart."""
    touched = [row for read in reads for row in read.rows if not row.untouched]
    keys = [parse_review_id(row.id) for row in touched]
    turns = _reviewed_turns(paths, lang, {key for key in keys if key})
    decisions: list[Decision] = []
    problems = [problem for read in reads for problem in read.problems]
    for row, key in zip(touched, keys, strict=True):
        outcome = decide(row, lang, turns.get(key) if key else None)
        if isinstance(outcome, Decision):
            decisions.append(outcome)
        else:
            problems += outcome
    return decisions, problems


def _reviewed_turns(paths: DataPaths, lang: str, keys: set[TurnKey]) -> dict[TurnKey, ReviewedTurn]:
    """The turns that reviewers wrote about, from the run's shards and the seed's."""
    turns: dict[TurnKey, ReviewedTurn] = {}
    shards = [*shard_paths(paths.translated(lang)), *shard_paths(paths.seed_dir / lang)]
    for sample in (sample for path in shards if keys for sample in read_translated(path)):
        for turn, (source, target) in enumerate(zip(sample.source, sample.target, strict=False)):
            key = (sample.sample_id, turn)
            if key in keys:
                known = turns[key].translations if key in turns else ()
                context = english_context(sample.source, turn)
                turns[key] = ReviewedTurn(*key, source.text, context, (*known, target.text))
    return turns


def settle(decisions: Sequence[Decision]) -> tuple[list[Decision], list[list[Decision]]]:
    """One decision a turn, and the groups of those that disagree. Where an adjudication batch has a
    word on the turn, the other rows have none."""
    by_id: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        by_id[decision.id].append(decision)
    settled, conflicts = [], []
    for rows in by_id.values():
        group = [row for row in rows if row.entry.batch.startswith(ADJUDICATION)] or rows
        if len({(text_hash(row.entry.text), row.entry.text == "") for row in group}) == 1:
            settled.append(group[0])
        else:
            conflicts.append(group)
    return settled, conflicts


def conflict_problems(conflicts: Sequence[Sequence[Decision]]) -> list[Problem]:
    """Rows that disagree are reported on every side."""
    problems = []
    for decision, rows in ((decision, group) for group in conflicts for decision in group):
        where = "; ".join(
            f"{other.row.file} line {other.row.line}"
            + (f" by {other.entry.reviewer}" if other.entry.reviewer else "")
            + f": {other.verdict}"
            for other in rows
            if other.entry.text != decision.entry.text
        )
        how = f"Agree on one and clear the other row, or let the {ADJUDICATION} batch decide"
        column = "correction" if decision.verdict is ReviewVerdict.FIX else "verdict"
        problems.append(decision.row.problem(column, f"conflict, not taken: {where}. {how}"))
    return problems


def decide(row: ReviewRow, lang: str, turn: ReviewedTurn | None) -> Decision | tuple[Problem, ...]:
    """What a filled-in row says, or all that is wrong with it, if it belongs to a turn at all."""
    exported = parse_export_hash(row.hash)
    if row.lang.strip() not in ("", lang):
        return (row.problem("lang", f"this folder holds '{lang}'"),)
    if parse_review_id(row.id) is None:
        return (row.problem("id", "not an id of a review row; copy it from the exported file"),)
    if turn is None:
        return (row.problem("id", "unknown: no such turn in the translated data"),)
    if exported is None:
        return (row.problem("hash", "damaged; copy it from the exported file"),)
    if exported[0] != _plain_hash(turn.source):
        return (row.problem("english", "the English is no longer the one that was exported"),)
    word, all_copies = row.verdict.strip().lower(), row.all_copies.strip().lower()
    verdict = ReviewVerdict(word) if word in list(ReviewVerdict) else None
    close = nearest(word, ReviewVerdict)
    hint = f"; did you mean {close}?" if close else ""
    fault, known = row.error_type.strip().lower(), " ".join(ErrorType)
    problems = [
        row.problem(column, said)
        for wrong, column, said in (
            (not word, "verdict", "half filled in: write accept, fix or reject"),
            (word and not verdict, "verdict", f"unknown{hint} Write accept, fix or reject"),
            (fault not in ("", *ErrorType), "error_type", f"unknown; use one of {known}"),
            (all_copies not in _YES | _NO, "all_copies", "write yes or leave it empty"),
        )
        if wrong
    ]
    # a text under a misspelt verdict is looked at as what it looks like
    meant = verdict or (ReviewVerdict.FIX if row.correction.strip() else None)
    text = _text(row, lang, meant, exported[1], turn) if meant else ""
    if isinstance(text, Problem):
        problems.append(text)
    if problems or verdict is None or isinstance(text, Problem):
        return tuple(problems)
    entry = VerifiedEntry(
        source=turn.source,
        context=turn.context,
        text=text,
        sample_id=turn.sample_id,
        turn=turn.turn,
        all_copies=all_copies in _YES,
        reviewer=row.reviewer.strip(),
        batch=row.file.rpartition(".")[0],
        created="",
    )
    return Decision(id=row.id.strip(), verdict=verdict, turn=turn, entry=entry, row=row)


def _text(
    row: ReviewRow, lang: str, verdict: ReviewVerdict, exported: str, turn: ReviewedTurn
) -> str | Problem:
    """The verified turn, image tags put back, or why it cannot stand, in the filters' words.

    An edit may also stand in the translation cell. What a person typed must also be in the
    language, and whole: a spreadsheet may have lost its letters. What the machine wrote and a
    person accepted is not doubted again.
    """
    correction = row.correction.strip()
    edited = text_hash(row.translation) != exported
    if edited and faults.lost_letters(row.english, row.translation):
        said = "its letters were lost when the file was saved; copy your verdicts into the "
        return row.problem("translation", f"{said}exported file, and save that as CSV UTF-8")
    if verdict is ReviewVerdict.REJECT:
        said = "rejected and corrected: write fix to use the correction"
        return row.problem("correction", said) if correction else ""
    if verdict is ReviewVerdict.FIX:
        if not correction and not edited:
            return row.problem("correction", "verdict is fix but there is no correction")
        text = reframed(turn.source, correction or row.translation.strip())
    elif correction and text_hash(correction) != exported:
        return row.problem("correction", "accepted and corrected: write fix to use the correction")
    elif edited:
        return row.problem("translation", "accepted but edited: write fix to use your edit")
    else:
        machine = turn.exported(exported)
        text = reframed(turn.source, row.translation if machine is None else machine)
    typed = _typed_must_hold() if verdict is ReviewVerdict.FIX else ()
    for rule in (*typed, *_MUST_HOLD) if text else ():
        finding = rule.look(TurnPair(turn.source, text), lang)
        if finding and (finding.verdict is Verdict.REJECT or rule.name in _STRICT):
            return row.problem("correction" if correction else "translation", finding.reason)
    return text


def _plain_hash(text: str) -> str:
    return text_hash(without_frame(text))


@cache
def _typed_must_hold() -> tuple[Filter, ...]:
    return faults.encoding, language.LanguageFilter(LanguageId())
