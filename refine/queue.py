"""The review queue: which turns go out to reviewers, in which new file, and what is out already.

A ledger beside the files says what went out, with which translation. Flagged turns whose
correction is worth most go first; turns on which reviewers disagree go to a third person, in a
batch of their own; others go out by choice.
"""

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from itertools import chain, islice
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
from refine.judgement import REVIEWER, Rejected, default_filters, refine_samples, verified_turns
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
_LONG_WORDS = (3, 20)  # of English: an answer of a word or three, a sentence, more
# A rejected text is wrong for sure and the next translator may do better; of one that asks for
# review nobody knows.
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
class Candidate:
    """A row, how many turns its correction mends, and how sure (nats a token) the engine was."""

    row: ReviewRow
    gain: float = 0.0
    logprob: float = 0.0


def load_ledger(folder: Path) -> Ledger:
    """What went out. A file that a crash kept out of the ledger is read back into it."""
    # ledgers of before held the rows alone, without the time
    ledger = {
        batch: Exported(**value) if isinstance(value.get("rows"), dict) else Exported(value)
        for batch, value in read_json(folder / LEDGER_NAME, {}).items()
    }
    for file in review_csvs(folder):
        if file.stem not in ledger and _EXPORTED.fullmatch(file.stem):
            hashes = {row.id: parse_export_hash(row.hash) for row in read_review(file).rows}
            ledger[file.stem] = Exported({key: known[1] for key, known in hashes.items() if known})
    return ledger


@dataclass
class Queue:
    """Sends turns of a language out, in new files: a file that exists is never touched, as a
    reviewer may have it open. `now` goes into the ledger, for the time that reviews take. Whoever
    sends holds the run lock; only `send_chosen` takes it itself.

    It counts rows out and undecided (`waiting`), and rows that find no room (`later`), and holds
    the new files, and the ids of rows too long for any cell.
    """

    paths: DataPaths
    lang: str
    now: str
    waiting: int = field(default=0, init=False)
    later: int = field(default=0, init=False)
    files: tuple[Path, ...] = field(default=(), init=False)
    unwritable: tuple[str, ...] = field(default=(), init=False)

    @property
    def folder(self) -> Path:
        return self.paths.review(self.lang)

    def send_flagged(self, max_rows: int) -> None:
        """The next batch of turns that ask for a person and had none, those of most gain first.

        The gain is times the number of copies: turns of the same English and translation. The
        first stands for all of them and its reasons say so; the others are worth nothing while it
        is out. Turns are read twice; counts lie in a temporary file, as memory must not grow.
        """
        shards = shard_paths(self.paths.refined(self.lang))
        if not shards:
            return
        out = self._out(BATCH, SEED)

        def turns() -> Iterator[tuple[Candidate, bool]]:
            for path in shards:
                record = read_record(path)
                if record is None or record.counts.get("flagged", 1):
                    for refined in read_refined(path):
                        for turn, row in open_rows(refined, flagged=True):
                            worth = _WORTH[refined.turn_verdicts[turn]]
                            sure = refined.sample.meta[turn].mean_logprob or 0.0
                            is_out = (row.id, translation_hash(row)) in out
                            yield Candidate(row, worth, sure), is_out

        def ranked(counts: TemporaryCounts) -> Iterator[Candidate]:
            for candidate, is_out in turns():
                row = candidate.row
                if is_out:
                    yield candidate
                elif number := counts.claim(row.hash):
                    if number > 1:
                        said = f"{number} turns read like this one: all_copies yes mends them all"
                        reasons = f"{row.reasons}; {said}" if row.reasons else said
                        row = replace(row, reasons=reasons)
                    yield Candidate(row, candidate.gain * number, candidate.logprob)
                else:
                    yield replace(candidate, gain=0.0)

        translated = map(read_translated, shard_paths(self.paths.translated(self.lang)))
        wrote = translator_of(chain.from_iterable(translated))
        with TemporaryCounts() as counts:
            counts.add((candidate.row.hash, is_out) for candidate, is_out in turns())
            self._export(BATCH, ranked(counts), max_rows, one_file=True, translator=wrote)

    def send_seed(
        self, settings: RefineSettings, memory: VerifiedMemory, rejected: Rejected
    ) -> None:
        """All turns of the seed's translations, with what the filters say of them."""
        rows: list[Candidate] = []
        wrote = ""
        for path in shard_paths(self.paths.seed_dir / self.lang):
            samples = read_translated(path)
            wrote = wrote or translator_of(samples)
            verified = verified_turns(samples, memory)
            for refined in refine_samples(samples, settings, verified, rejected, {}):
                rows += [Candidate(row) for _, row in open_rows(refined)]
        self._export(SEED, rows, settings.max_review_rows, translator=wrote)

    def send_adjudication(self, conflicts: Sequence[Sequence[Decision]], max_rows: int) -> None:
        """A row a conflict, with what each reviewer wants; intake takes the third person's word."""

        def said(decision: Decision) -> str:
            who = decision.entry.reviewer or f"{decision.row.file} line {decision.row.line}"
            fixed = decision.verdict is ReviewVerdict.FIX
            text = f" to '{without_frame(decision.entry.text)}'" if fixed else ""
            note = decision.row.note.strip()
            comment = f" ({note})" if note else ""
            return f"{who}: {decision.verdict}{text}{comment}"

        rows = []
        for group in conflicts:
            turn, shown = group[0].turn, group[0].row
            # not what a reviewer may have made of the texts in their cells
            machine = turn.exported(translation_hash(shown))
            row = ReviewRow(
                id=group[0].id,
                lang=shown.lang,
                image=shown.image,
                previous=shown.previous,
                english=without_frame(turn.source),
                translation=shown.translation if machine is None else without_frame(machine),
                reasons="; ".join(map(said, group)),
                hash=shown.hash,
            )
            rows.append(Candidate(row))
        self._export(ADJUDICATION, rows, max_rows)

    def send_audit(self, num_rows: int) -> None:
        """Draws a sample of passed turns into a batch, once for each translator.

        It is blind: the rows go out like any others, without a word of the filters' notes, and
        the ledger alone knows. A crash before it leaves an ordinary batch; another is drawn.
        """
        samples = (refined.sample for refined in self._refined()) if num_rows else ()
        translator = translator_of(samples)
        ledger = load_ledger(self.folder).values()
        if not translator or any(batch.audit == translator for batch in ledger):
            return

        def passed() -> Iterator[tuple[str, ReviewRow]]:
            for refined in self._refined():
                for turn, row in open_rows(refined, blind=True):
                    if refined.turn_verdicts[turn].severity <= Verdict.NOTE.severity:
                        num_words = len(row.english.split())
                        size = sum(num_words > limit for limit in _LONG_WORDS)
                        yield f"{refined.sample.source[turn].role}-{size}", row

        rows = map(Candidate, draw(passed(), num_rows, self._ids_out()))
        self._export(BATCH, rows, num_rows, translator=translator, audit=translator)

    def send_chosen(self, only: str, max_rows: int) -> None:
        """At most `max_rows` turns that are not out yet, in one new batch.

        They are of the verdicts or reasons that `only` names, which has passed `check_choice`, or
        of the ids in that file. Turns that a person has judged are left out.
        """
        ids, words = chosen_ids(only), set(only.split(","))

        def is_chosen(refined: RefinedSample, turn: int, row: ReviewRow) -> bool:
            if ids is not None:
                return not ids.isdisjoint((row.id, refined.sample.sample_id))
            verdict = refined.turn_verdicts[turn]
            findings = refined.findings[turn]
            spoke = {finding.filter for finding in findings if finding.verdict is not Verdict.PASS}
            return not words.isdisjoint({verdict, *spoke, *([FLAGGED] if verdict.flagged else [])})

        with run_lock(self.paths.refined(self.lang), f"palo review export {self.lang}"):
            out = self._ids_out()
            chosen = (
                Candidate(row)
                for refined in self._refined()
                for turn, row in open_rows(refined)
                if row.id not in out and is_chosen(refined, turn, row)
            )
            self._export(BATCH, islice(chosen, max_rows), max_rows)

    def write_workbooks(self) -> None:
        """A workbook beside each new CSV."""
        for path in self.files:
            write_review(path.with_suffix(XLSX), read_review(path).rows)
            self.files += (path.with_suffix(XLSX),)

    def _refined(self) -> Iterator[RefinedSample]:
        for path in shard_paths(self.paths.refined(self.lang)):
            yield from read_refined(path)

    def _out(self, *stems: str) -> set[tuple[str, str]]:
        """(review id, hash of the translation) of the rows that files of these stems hold."""
        ledger = load_ledger(self.folder)
        batches = (batch for n, batch in ledger.items() if n.rpartition("-")[0] in stems)
        return {row for batch in batches for row in batch.rows.items()}

    def _ids_out(self) -> set[str]:
        return {key for batch in load_ledger(self.folder).values() for key in batch.rows}

    def _export(
        self,
        stem: str,
        candidates: Iterable[Candidate],
        max_rows: int,
        one_file: bool = False,
        translator: str = "",
        audit: str = "",
    ) -> None:
        """Writes rows not out yet with this very translation; the ledger says who wrote them.

        At most `max_rows` rows a file; with `one_file` also at most so many out and undecided at
        once, and those of most gain go first.
        """
        # a row in conflict went out before, and goes to a third person
        out = self._out(*((stem,) if stem == ADJUDICATION else (BATCH, SEED)))
        waiting = ready = 0

        def not_out() -> Iterator[Candidate]:
            nonlocal waiting, ready
            for candidate in candidates:
                row = candidate.row
                if (row.id, translation_hash(row)) in out:
                    waiting += 1
                elif too_long(row):
                    self.unwritable += (row.id,)
                else:
                    ready += 1
                    yield candidate

        def worth(candidate: Candidate) -> tuple[float, float]:
            return candidate.gain, -candidate.logprob

        if one_file:  # holds no more rows than may go
            best = heapq.nlargest(max_rows, not_out(), key=worth)[: max(0, max_rows - waiting)]
        else:
            best = sorted(not_out(), key=worth, reverse=True)
        ledger = load_ledger(self.folder)
        for start in range(0, len(best), max_rows):
            rows = [candidate.row for candidate in best[start : start + max_rows]]
            names = [*ledger, *(path.stem for path in self.folder.glob(f"{stem}-*.csv"))]
            matches = (re.match(rf"{stem}-(\d+)", name) for name in names)
            batch = f"{stem}-{1 + max((int(m[1]) for m in matches if m), default=0):04d}"
            path = self.folder / f"{batch}.csv"
            write_review(path, rows)
            hashes = {row.id: translation_hash(row) for row in rows}
            ledger[batch] = Exported(hashes, self.now, audit, translator)
            content = {key: asdict(value) for key, value in ledger.items()}
            write_json(self.folder / LEDGER_NAME, content)
            self.files += (path,)
        self.waiting += waiting + len(best)
        self.later += ready - len(best)


def translator_of(samples: Iterable[TranslatedSample]) -> str:
    """Engine and signature of the first translated turn, or "": whose the error rates are."""
    for sample in samples:
        for meta in sample.meta:
            if meta.status is TurnStatus.TRANSLATED:
                return f"{meta.engine} {meta.signature}".strip()
    return ""


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
    names = [FLAGGED, *Verdict, *sorted(rule.name for rule in default_filters(settings))]
    for name in only.split(","):
        if name not in names:
            close = nearest(name, names)
            hint = f" Did you mean '{close}'?" if close else ""
            raise UserError(
                f"Unknown choice '{name}'.{hint} Use a file of ids, or: {' '.join(names)}"
            )


def open_rows(
    refined: RefinedSample, blind: bool = False, flagged: bool = False
) -> Iterator[tuple[int, ReviewRow]]:
    """By number, turns that no person has judged: with something to translate, or `flagged`.
    `blind` rows do not say what the filters found. A broken sample may lack some sides."""
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
