"""Judges pairs of any file by the filters: `palo refine check pairs.tsv --lang ur`."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import IO

from palo.errors import UserError
from palo.files import replaced
from palo.schemas import Finding, Verdict
from palo.settings import RefineSettings
from palo.workers import batches, in_order
from refine.filters import TurnPair, load_thresholds, without_bands
from refine.judgement import default_filters, judge, processes, verdict
from refine.pairs import STDIN, NumberedRow, Unreadable, read_rows

UNREADABLE = "unreadable"  # the reason of a row that is no pair
_BATCH_ROWS = 2048
_BATCH_CHARS = 4 << 20
_ROWS_FOR_PROCESSES = 20_000  # below, starting processes takes longer than they save
_SHOWN_NUMBERS = 10


@dataclass
class Judged:
    """Counts of rows judged, and the output lines of a batch."""

    lines: str = ""
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    unreadable: list[int] = field(default_factory=list)


def check_file(pairs: Path, lang: str, output: Path | None, settings: RefineSettings) -> None:
    """Judges all pairs of a file or standard input; a UserError at the end for what is no pair."""
    if output is not None and pairs != STDIN and output.resolve() == pairs.resolve():
        raise UserError(f"--output {output} is the input itself. Name another file.")
    for line in settings.models.licence_notes():
        print(line, file=sys.stderr)
    if lacks := without_bands(lang, load_thresholds(settings.thresholds_path)):
        print(lacks, file=sys.stderr)
    with ExitStack() as stack:
        file: IO[str] = sys.stdout
        if output is not None:
            temporary = stack.enter_context(replaced(output))
            file = stack.enter_context(temporary.open("w", encoding="utf-8"))
        summary = check_pairs(read_rows(pairs), lang, settings, file.write)
        file.flush()
    each = " · ".join(f"{verdict} {summary.verdicts[verdict]}" for verdict in Verdict)
    print(f"{summary.verdicts.total()} rows · {each}", file=sys.stderr)
    if top := ", ".join(f"{name} {count}" for name, count in summary.reasons.most_common()):
        print(f"reasons of rows flagged: {top}", file=sys.stderr)
    if summary.unreadable:
        shown = ", ".join(map(str, summary.unreadable[:_SHOWN_NUMBERS]))
        more = ", ..." if len(summary.unreadable) > _SHOWN_NUMBERS else ""
        raise UserError(
            f"{len(summary.unreadable)} rows of {pairs} are no pairs (lines {shown}{more}); they "
            f"are in the output as rejected, with the reason. The others were judged."
        )


def check_pairs(
    rows: Iterable[NumberedRow], lang: str, settings: RefineSettings, write: Callable[[str], object]
) -> Judged:
    """Judges the rows and writes a JSON line for each, in order, with a few in memory."""
    summary = Judged()

    def chars(numbered: NumberedRow) -> int:
        _, row = numbered
        return len(row.text if isinstance(row, Unreadable) else row.target)

    parts = batches(rows, _BATCH_ROWS, chars, _BATCH_CHARS)
    head = list(islice(parts, _ROWS_FOR_PROCESSES // _BATCH_ROWS + 1))
    number = processes(settings, len(head) * _BATCH_ROWS > _ROWS_FOR_PROCESSES)
    work = partial(judge_batch, settings, lang)
    for judged in in_order(
        work, chain(head, parts), number, "judged translations", "refine.processes"
    ):
        write(judged.lines)
        summary.verdicts.update(judged.verdicts)
        summary.reasons.update(judged.reasons)
        summary.unreadable += judged.unreadable
    return summary


def judge_batch(settings: RefineSettings, lang: str, batch: list[NumberedRow]) -> Judged:
    pairs = [row for _, row in batch if isinstance(row, TurnPair)]
    of_pairs = iter(judge(default_filters(settings), pairs, lang))
    judged, lines = Judged(), []
    for number, row in batch:
        if isinstance(row, Unreadable):
            findings: tuple[Finding, ...] = (Finding(UNREADABLE, None, Verdict.REJECT, row.reason),)
            texts = {"text": row.text}
            judged.unreadable.append(number)
        else:
            findings, texts = next(of_pairs), {"source": row.source, "target": row.target}
        said = verdict(findings, settings.notes_for_review)
        judged.verdicts[said] += 1
        if said.flagged:
            judged.reasons.update({finding.filter for finding in findings})
        reasons = [dict(vars(finding)) for finding in findings]
        line = {"line": number, **texts, "verdict": said, "reasons": reasons}
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    judged.lines = "".join(lines)
    return judged
