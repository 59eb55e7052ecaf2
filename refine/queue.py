"""The review queue: which turns go out to reviewers, in which new file, and what is out already.

A ledger beside the files says what went out, with which translation. Flagged turns whose
correction is worth most go first; turns on which reviewers disagree go to a third person, in a
batch of their own; others go out by choice.
"""

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from itertools import chain, islice
from operator import add
from pathlib import Path

from palo.checks.structure import without_frame
from palo.errors import UserError, nearest
from palo.files import read_json, run_lock, write_json
from palo.memory import TemporaryCounts, VerifiedMemory
from palo.paths import DataPaths
from palo.schemas import RefinedSample, TranslatedSample, TurnStatus, Verdict
from palo.settings import RefineSettings
from palo.shards import read_record, read_refined, read_translated, shard_paths
from refine.intake import Decision
from refine.judgement import REVIEWER, Rejection, human_word, refine_samples
from refine.registry import default_filters
from refine.review_file import (
    ADJUDICATION,
    XLSX,
    ReviewRow,
    ReviewVerdict,
    export_hash,
    parse_export_hash,
    read_review,
    review_csvs,
    review_id,
    too_long,
    translation_hash,
    write_review,
)

LEDGER_NAME = "exported.json"
BATCH = "batch"
SEED = "seed"
FLAGGED = "flagged"
_EXPORTED = re.compile(rf"({BATCH}|{SEED}|{ADJUDICATION})-\d+")
# A rejected text is wrong for sure and the next translator may do better; of one that asks for
# review nobody knows.
_LONG_WORDS = (3, 20)  # of English: an answer of a word or three, a sentence, more
_WORTH = {Verdict.REVIEW: 1.0, Verdict.REJECT: 0.5}


@dataclass(frozen=True)
class Exported:
    """`rows`: review id -> hash of the translation that went out; `at` is "" where unknown.

    `translator` wrote the rows, "" where they are of several or chosen by hand; `audit` names it
    again where they are a sample drawn for it, and is "" for other batches.
    """

    rows: Mapping[str, str]
    at: str = ""
    audit: str = ""
    translator: str = ""


Ledger = dict[str, Exported]  # by batch


@dataclass(frozen=True)
class Queue:
    """Rows out and undecided, rows that find no room, new files, ids too long for any cell."""

    waiting: int = 0
    later: int = 0
    files: tuple[Path, ...] = ()
    unwritable: tuple[str, ...] = ()

    def __add__(self, other: "Queue") -> "Queue":
        return Queue(*map(add, vars(self).values(), vars(other).values()))


@dataclass(frozen=True)
class Candidate:
    """A row, how many turns its correction mends, and how sure (nats a token) the engine was."""

    row: ReviewRow
    gain: float = 0.0
    logprob: float = 0.0


def load_ledger(folder: Path) -> Ledger:
    """What went out. A file that a crash kept out of the ledger is read back into it."""
    path = folder / LEDGER_NAME
    stored = read_json(path) if path.is_file() else {}
    # ledgers of before held the rows alone, without the time
    ledger = {
        batch: Exported(**value) if isinstance(value.get("rows"), dict) else Exported(value)
        for batch, value in stored.items()
    }
    for file in review_csvs(folder):
        if file.stem not in ledger and _EXPORTED.fullmatch(file.stem):
            hashes = {row.id: parse_export_hash(row.hash) for row in read_review(file).rows}
            ledger[file.stem] = Exported({key: known[1] for key, known in hashes.items() if known})
    return ledger


def out_already(ledger: Ledger, among: Sequence[str] = (BATCH, SEED)) -> set[tuple[str, str]]:
    """(review id, hash of the translation) of the rows that files of these stems hold."""
    return {
        row
        for name, batch in ledger.items()
        if name.rpartition("-")[0] in among
        for row in batch.rows.items()
    }


def write_batch(
    folder: Path,
    stem: str,
    ledger: Ledger,
    rows: Sequence[ReviewRow],
    now: str,
    translator: str = "",
    audit: str = "",
) -> Path:
    """Writes the rows into the next file of that stem, and enters them in the ledger."""
    names = [*ledger, *(path.stem for path in folder.glob(f"{stem}-*.csv"))]
    numbers = [int(match[1]) for name in names if (match := re.match(rf"{stem}-(\d+)", name))]
    batch = f"{stem}-{1 + max(numbers, default=0):04d}"
    path = folder / f"{batch}.csv"
    write_review(path, rows)
    hashes = {row.id: translation_hash(row) for row in rows}
    ledger[batch] = Exported(hashes, now, audit, translator)
    write_json(folder / LEDGER_NAME, {key: asdict(value) for key, value in ledger.items()})
    return path


def export_review(
    folder: Path,
    stem: str,
    candidates: Iterable[Candidate],
    max_rows: int,
    now: str,
    one_file: bool = True,
    translator: str = "",
) -> Queue:
    """Writes rows that are not out yet with this very translation into new files.

    At most `max_rows` rows a file; with `one_file` also at most so many out and undecided at
    once, and those of most gain go first. A file that exists is never touched: a reviewer may
    have it open. `now` goes into the ledger, for the time that reviews take; `translator` wrote
    all rows.
    """
    ledger = load_ledger(folder)
    # a row in conflict went out before, and goes to a third person
    out = out_already(ledger, (stem,) if stem == ADJUDICATION else (BATCH, SEED))
    unwritable: list[str] = []
    waiting = ready = 0

    def not_out() -> Iterator[Candidate]:
        nonlocal waiting, ready
        for candidate in candidates:
            row = candidate.row
            if (row.id, translation_hash(row)) in out:
                waiting += 1
            elif too_long(row):
                unwritable.append(row.id)
            else:
                ready += 1
                yield candidate

    def worth(candidate: Candidate) -> tuple[float, float]:
        return candidate.gain, -candidate.logprob

    if one_file:  # holds no more rows than may go
        best = heapq.nlargest(max_rows, not_out(), key=worth)[: max(0, max_rows - waiting)]
    else:
        best = sorted(not_out(), key=worth, reverse=True)
    files = []
    for start in range(0, len(best), max_rows):
        rows = [candidate.row for candidate in best[start : start + max_rows]]
        files.append(write_batch(folder, stem, ledger, rows, now, translator))
    return Queue(waiting + len(best), ready - len(best), tuple(files), tuple(unwritable))


def export_flagged(paths: DataPaths, lang: str, max_rows: int, now: str) -> Queue:
    """The next batch of turns that ask for a person and had none, those of most gain first."""
    shards = shard_paths(paths.refined(lang))
    if not shards:
        return Queue()
    out = out_already(load_ledger(paths.review(lang)))

    def turns() -> Iterator[Candidate]:
        for path in shards:
            record = read_record(path)
            if record is None or record.counts.get("flagged", 1):
                for refined in read_refined(path):
                    for turn, row in open_rows(refined, flagged=True):
                        worth = _WORTH[refined.turn_verdicts[turn]]
                        sure = refined.sample.meta[turn].mean_logprob or 0.0
                        yield Candidate(row, worth, sure)

    candidates = ranked(turns, lambda row: (row.id, translation_hash(row)) in out)
    translated = map(read_translated, shard_paths(paths.translated(lang)))
    folder, wrote = paths.review(lang), translator_of(chain.from_iterable(translated))
    return export_review(folder, BATCH, candidates, max_rows, now, translator=wrote)


def export_seed(
    paths: DataPaths,
    lang: str,
    settings: RefineSettings,
    memory: VerifiedMemory,
    rejected: Mapping[str, Rejection],
    now: str,
) -> Queue:
    """All turns of the seed's translations, with what the filters say of them."""
    rows: list[Candidate] = []
    wrote = ""
    for path in shard_paths(paths.seed_dir / lang):
        samples = read_translated(path)
        wrote = wrote or translator_of(samples)
        for refined in refine_samples(samples, settings, human_word(samples, memory, rejected), {}):
            rows += [Candidate(row) for _, row in open_rows(refined)]
    folder, max_rows = paths.review(lang), settings.max_review_rows
    return export_review(folder, SEED, rows, max_rows, now, one_file=False, translator=wrote)


def ranked(
    turns: Callable[[], Iterable[Candidate]], is_out: Callable[[ReviewRow], bool]
) -> Iterator[Candidate]:
    """The candidates of `turns`, in order, the gain of each times the number of its copies.

    Copies are turns of the same English and translation. The first stands for all of them and
    its reasons say so; the others are worth nothing while it is out. `turns` is called twice, and
    the counts lie in a temporary file, so that memory does not grow with the corpus.
    """
    with TemporaryCounts() as counts:
        counts.add((candidate.row.hash, is_out(candidate.row)) for candidate in turns())
        for candidate in turns():
            row = candidate.row
            if is_out(row):
                yield candidate
            elif number := counts.claim(row.hash):
                if number > 1:
                    said = f"{number} turns read like this one: all_copies yes mends them all"
                    row = replace(row, reasons=f"{row.reasons}; {said}" if row.reasons else said)
                yield Candidate(row, candidate.gain * number, candidate.logprob)
            else:
                yield replace(candidate, gain=0.0)


def translator_of(samples: Iterable[TranslatedSample]) -> str:
    """Engine and signature of the first translated turn, or "": whose the error rates are."""
    for sample in samples:
        for meta in sample.meta:
            if meta.status is TurnStatus.TRANSLATED:
                return f"{meta.engine} {meta.signature}".strip()
    return ""


def export_adjudication(
    folder: Path, conflicts: Sequence[Sequence[Decision]], max_rows: int, now: str
) -> Queue:
    """A row a conflict, with what each reviewer wants; intake takes the third person's word."""

    def said(decision: Decision) -> str:
        who = decision.entry.reviewer or f"{decision.row.file} line {decision.row.line}"
        fixed = decision.verdict is ReviewVerdict.FIX
        text = f" to '{without_frame(decision.entry.text)}'" if fixed else ""
        comment = f" ({decision.note})" if decision.note else ""
        return f"{who}: {decision.verdict}{text}{comment}"

    rows = []
    for group in conflicts:
        first, shown = group[0], group[0].row
        # not what a reviewer may have made of the translation in its cell
        reviewed = first.turn.exported(first.exported)
        row = ReviewRow(
            id=first.id,
            lang=shown.lang,
            image=shown.image,
            previous=shown.previous,
            english=without_frame(first.turn.source),
            translation=shown.translation if reviewed is None else without_frame(reviewed),
            reasons="; ".join(map(said, group)),
            hash=shown.hash,
        )
        rows.append(Candidate(row))
    return export_review(folder, ADJUDICATION, rows, max_rows, now, one_file=False)


def export_workbooks(files: Sequence[Path]) -> Queue:
    """A workbook beside each new CSV."""
    books = tuple(path.with_suffix(XLSX) for path in files)
    for path, book in zip(files, books, strict=True):
        write_review(book, read_review(path).rows)
    return Queue(files=books)


def export_audit(paths: DataPaths, lang: str, num_rows: int, now: str) -> Queue:
    """Draws a sample of passed turns into a batch, once for each translator.

    It is blind: the rows go out like any others, without a word of the filters' notes, and the
    ledger alone knows. A crash between the file and the ledger leaves an ordinary batch, and
    another sample is drawn.
    """
    folder, shards = paths.review(lang), shard_paths(paths.refined(lang))
    samples = (refined.sample for path in shards for refined in read_refined(path))
    translator = translator_of(samples) if num_rows else ""
    ledger = load_ledger(folder)
    if not translator or any(batch.audit == translator for batch in ledger.values()):
        return Queue()

    def passed() -> Iterator[tuple[str, ReviewRow]]:
        for refined in (refined for path in shards for refined in read_refined(path)):
            for turn, row in open_rows(refined, blind=True):
                if refined.turn_verdicts[turn].severity <= Verdict.NOTE.severity:
                    num_words = len(row.english.split())
                    size = sum(num_words > limit for limit in _LONG_WORDS)
                    yield f"{refined.sample.source[turn].role}-{size}", row

    out = {key for batch in ledger.values() for key in batch.rows}
    rows = draw(passed(), num_rows, out)
    if not rows:
        return Queue()
    path = write_batch(folder, BATCH, ledger, rows, now, translator, audit=translator)
    return Queue(waiting=len(rows), files=(path,))


def draw(turns: Iterable[tuple[str, ReviewRow]], num_rows: int, out: set[str]) -> list[ReviewRow]:
    """At most `num_rows` of (stratum, row), from each stratum its share; order does not matter.

    Each row's number is a hash of its id, and the smallest numbers are drawn: the sample of a
    corpus is the same on every machine, and only `num_rows` rows a stratum are ever held.
    """

    def number(key: str) -> int:
        return int.from_bytes(blake2b(f"audit:{key}".encode(), digest_size=8).digest())

    sizes: Counter[str] = Counter()
    smallest: dict[str, list[tuple[int, str, ReviewRow]]] = defaultdict(list)
    for stratum, row in turns:
        if row.id in out or too_long(row):
            continue
        sizes[stratum] += 1
        heapq.heappush(smallest[stratum], (-number(row.id), row.id, row))
        if len(smallest[stratum]) > num_rows:
            heapq.heappop(smallest[stratum])
    # each stratum its share of the rows, by largest remainders
    total = sum(sizes.values())
    num_drawn = min(num_rows, total)
    exact = {stratum: num_drawn * size / total for stratum, size in sorted(sizes.items())}
    shares = {stratum: int(value) for stratum, value in exact.items()}
    by_rest = sorted(exact, key=lambda stratum: shares[stratum] - exact[stratum])
    for stratum in by_rest[: num_drawn - sum(shares.values())]:
        shares[stratum] += 1
    drawn = [
        entry
        for stratum, share in shares.items()
        for entry in sorted(smallest[stratum], reverse=True)[:share]
    ]
    return [row for _, _, row in sorted(drawn, reverse=True)]


def chosen_ids(only: str) -> frozenset[str] | None:
    """The ids that a file lists, a line each; None where `only` names no file."""
    path = Path(only)
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return frozenset(line.strip() for line in lines if line.strip())


def check_choice(only: str, settings: RefineSettings) -> None:
    """Raises UserError for what is no reason, verdict or file."""
    if chosen_ids(only) is not None:
        return
    reasons = sorted(rule.name for rule in default_filters(settings))
    names = [FLAGGED, *Verdict, *reasons]
    for name in only.split(","):
        if name not in names:
            close = nearest(name, names)
            hint = f" Did you mean '{close}'?" if close else ""
            raise UserError(
                f"Unknown choice '{name}'.{hint} Use a file of ids, or: {' '.join(names)}"
            )


def export_chosen(paths: DataPaths, lang: str, only: str, max_rows: int, now: str) -> Queue:
    """Writes at most `max_rows` turns that are not out yet into one new batch.

    They are of the verdicts or reasons that `only` names, which has passed `check_choice`, or of
    the ids in that file. Turns that a person has judged are left out.
    """
    folder, ids, words = paths.review(lang), chosen_ids(only), set(only.split(","))

    def is_chosen(refined: RefinedSample, turn: int, row: ReviewRow) -> bool:
        if ids is not None:
            return not ids.isdisjoint((row.id, refined.sample.sample_id))
        verdict = refined.turn_verdicts[turn]
        findings = refined.findings[turn]
        spoke = {finding.filter for finding in findings if finding.verdict is not Verdict.PASS}
        return not words.isdisjoint({verdict, *spoke, *([FLAGGED] if verdict.flagged else [])})

    with run_lock(paths.refined(lang), f"palo review export {lang}"):
        out = {key for batch in load_ledger(folder).values() for key in batch.rows}
        chosen = (
            Candidate(row)
            for path in shard_paths(paths.refined(lang))
            for refined in read_refined(path)
            for turn, row in open_rows(refined)
            if row.id not in out and is_chosen(refined, turn, row)
        )
        rows = islice(chosen, max_rows)
        return export_review(folder, BATCH, rows, max_rows, now, one_file=False)


def open_rows(
    refined: RefinedSample, blind: bool = False, flagged: bool = False
) -> Iterator[tuple[int, ReviewRow]]:
    """By number, turns that no person has judged: with something to translate, or `flagged`.

    `blind` rows do not say what the filters found. A broken sample may lack some sides.
    """
    sample = refined.sample
    for turn, (source, target, meta) in enumerate(
        zip(sample.source, sample.target, sample.meta, strict=False)
    ):
        findings, verdict = refined.findings[turn], refined.turn_verdicts[turn]
        wanted = verdict.flagged if flagged else meta.status is not TurnStatus.COPIED
        judged = any(finding.filter == REVIEWER for finding in findings)
        if judged or not wanted or meta.status is TurnStatus.VERIFIED:
            continue
        english, translation = without_frame(source.text), without_frame(target.text)
        reasons = (
            f"{finding.filter}: {finding.reason}"
            for finding in findings
            if finding.verdict is not Verdict.PASS and not blind
        )
        row = ReviewRow(
            id=review_id(sample.sample_id, turn),
            lang=sample.lang,
            image=sample.image or "",
            previous=without_frame(sample.source[turn - 1].text) if turn else "",
            english=english,
            translation=translation,
            reasons="; ".join(reasons),
            hash=export_hash(english, translation),
        )
        yield turn, row
