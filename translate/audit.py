"""The end-of-run audit: what lies in the TRANSLATED shards, read back and held against the source.

    audit = audit_shards("ur", sources, folder)

It believes nothing of what the run meant to write. A pair of shards that was found whole once, and
whose bytes are still the same, is not read again: `audit.json` beside the shards says what was in
it. Sample ids are looked at across all shards every time.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any

from palo.checks.image_tag import image_frame
from palo.checks.placeholders import span_difference
from palo.errors import UserError
from palo.files import file_digest, read_json, write_json
from palo.schemas import IMAGE_TAG, Sample, TranslatedSample, TurnMeta, TurnStatus
from palo.shards import read_column, read_samples, read_translated, shard_paths

AUDIT_NAME = "audit.json"
_RULES = "1"  # raise when the same shards might be judged otherwise
_FAULTS_KEPT = 20  # of a broken run the first ones are named, all are counted
_FAULTS_SAID = 3


class AuditFailed(UserError):
    """What was written is not what the source asks for."""

    exit_code = 3


class FaultKind(StrEnum):
    MISSING = "sample missing"
    FOREIGN = "sample not in the source"
    DOUBLED = "sample there twice"
    CHANGED = "sample's source, image or language changed"
    TURNS = "number of turns or roles changed"
    IMAGE = "image tag moved"
    SPAN = "protected span lost or made up"
    COPY = "copied turn differs from its source"


@dataclass(frozen=True)
class Fault:
    """`turn` is None where the whole sample is meant."""

    kind: FaultKind
    shard: str
    sample_id: str
    turn: int | None = None

    def __str__(self) -> str:
        turn = "" if self.turn is None else f", turn {self.turn}"
        return f"{self.kind}: {self.shard}, sample {self.sample_id}{turn}"


@dataclass
class Audit:
    """`samples` and `turns` are the source's; `by_status` is what the shards hold for them.

    `by_person` counts verified turns whose text lost or moved a protected span: a person may.
    `reread` counts the shards that were read back in this run.
    """

    samples: int = 0
    turns: int = 0
    shards: int = 0
    reread: int = 0
    by_person: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    fault_counts: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        return self.turns == self.by_status.total() and not self.fault_counts

    def add(self, other: "Audit") -> None:
        self.samples += other.samples
        self.turns += other.turns
        self.by_person += other.by_person
        self.by_status.update(other.by_status)
        self.problems.update(other.problems)
        self.fault_counts.update(other.fault_counts)
        self.faults = (self.faults + other.faults)[:_FAULTS_KEPT]

    def blame(self, fault: Fault) -> None:
        self.fault_counts[fault.kind] += 1
        if len(self.faults) < _FAULTS_KEPT:
            self.faults.append(fault)

    @property
    def account(self) -> dict[str, object]:
        """For the manifest: the sum, and what is wrong with it."""
        return {
            "whole": self.balanced,
            "source_turns": self.turns,
            "turns_in_shards": self.by_status.total(),
            "verified_with_other_spans": self.by_person,
            "faults": dict(self.fault_counts),
            "first_faults": [str(fault) for fault in self.faults],
        }

    @property
    def verdict(self) -> str:
        """One sentence: that all is there, or what is not."""
        if self.balanced:
            return (
                f"all {self.turns:,} source turns accounted for, no sample missing, doubled or "
                "foreign, structure identical"
            )
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in self.fault_counts.most_common())
        return f"{self.turns:,} source turns, {self.by_status.total():,} in the shards" + (
            f"; {kinds}" if kinds else ""
        )


def audit_shards(lang: str, sources: Sequence[Path], folder: Path) -> Audit:
    """Reads what `write_shards` left in `folder`; writes `audit.json` there for the next run."""
    known = _known(folder / AUDIT_NAME)
    audit, whole = Audit(shards=len(sources)), {}
    for path in sources:
        target = folder / path.name
        digests = [file_digest(path), file_digest(target) if target.is_file() else ""]
        entry = known.get(path.name)
        if entry is not None and entry["digests"] == digests:
            found = _remembered(entry["found"])
        else:
            found = audit_pair(lang, target.name, read_samples(path), _written(target))
            audit.reread += 1
        audit.add(found)
        if found.balanced:
            whole[path.name] = {"digests": digests, "found": _remember(found)}
    for fault in _doubled(folder):
        audit.blame(fault)
    write_json(folder / AUDIT_NAME, {"rules": _RULES, "shards": whole})
    return audit


def audit_pair(
    lang: str, shard: str, source: Sequence[Sample], written: Sequence[TranslatedSample]
) -> Audit:
    """Holds the rows of one TRANSLATED shard against those of its SOURCE shard."""
    audit = Audit(len(source), sum(len(sample.turns) for sample in source), 1)
    rows = {row.sample_id: row for row in written}
    for sample in source:
        row = rows.pop(sample.sample_id, None)
        if row is None:
            audit.blame(Fault(FaultKind.MISSING, shard, sample.sample_id))
        else:
            _account(audit, row.meta)
            for fault in _faults(lang, shard, sample, row, audit):
                audit.blame(fault)
    for sample_id in rows:
        audit.blame(Fault(FaultKind.FOREIGN, shard, sample_id))
    return audit


def require_whole(audits: Mapping[str, Audit], folders: Mapping[str, Path]) -> None:
    """Raises AuditFailed with the first rows of every language whose audit is broken."""
    broken = {lang: audit for lang, audit in audits.items() if not audit.balanced}
    if not broken:
        return
    lines = ["The audit found shards that do not match the source:"]
    for lang, audit in broken.items():
        named = "; ".join(map(str, audit.faults[:_FAULTS_SAID]))
        lines.append(f"- {lang}: {audit.verdict}. First: {named or 'no single row'}")
    where = ", ".join(str(folders[lang]) for lang in broken)
    lines.append(
        "Nothing is lost: every translation is in the memory. Remove the shards named (in "
        f"{where}) and run the same command again; if it comes again, it is a fault of palo."
    )
    raise AuditFailed("\n".join(lines))


def _account(audit: Audit, metas: Iterable[TurnMeta]) -> None:
    for meta in metas:
        audit.by_status[str(meta.status)] += 1
        if meta.status is TurnStatus.FAILED:
            # by kind: what comes after the colon differs from row to row
            audit.problems[meta.problem.partition(":")[0]] += 1


def _faults(
    lang: str, shard: str, sample: Sample, row: TranslatedSample, audit: Audit
) -> Iterator[Fault]:
    here = (sample.source_id, sample.image, sample.origin, sample.turns, lang)
    if (row.source_id, row.image, row.origin, row.source, row.lang) != here:
        yield Fault(FaultKind.CHANGED, shard, sample.sample_id)
    roles = [turn.role for turn in sample.turns]
    if [turn.role for turn in row.target] != roles or len(row.meta) != len(roles):
        yield Fault(FaultKind.TURNS, shard, sample.sample_id)
        return
    for index, (source, target, meta) in enumerate(
        zip(sample.turns, row.target, row.meta, strict=True)
    ):
        kind = turn_fault(source.text, target.text, meta.status)
        if kind and meta.status is TurnStatus.VERIFIED:
            audit.by_person += 1
        elif kind:
            yield Fault(kind, shard, sample.sample_id, index)


def turn_fault(source: str, target: str, status: TurnStatus) -> FaultKind | None:
    """What a turn of this status must not show; tags inside a sentence may move with its words."""
    if status is TurnStatus.COPIED:
        return None if target == source else FaultKind.COPY
    prefix, suffix = image_frame(source)
    if not (target.startswith(prefix) and target.endswith(suffix)):
        return FaultKind.IMAGE
    if status is TurnStatus.FAILED:
        return None
    if source.count(IMAGE_TAG) != target.count(IMAGE_TAG):
        return FaultKind.IMAGE
    return FaultKind.SPAN if span_difference(source, target) else None


def _doubled(folder: Path) -> Iterator[Fault]:
    """Samples that are in the shards more than once.

    64 bits an id are kept, not the id: a million ids are 8 MB. Where two are equal the ids
    themselves are compared, so a chance equality accuses nobody.
    """
    import numpy as np

    marks = array("Q")
    for path in shard_paths(folder):
        marks.extend(map(_mark, read_column(path, "sample_id")))
    values, counts = np.unique(np.frombuffer(marks, dtype=np.uint64), return_counts=True)
    suspects = {int(value) for value in values[counts > 1]}
    if not suspects:
        return
    seen: set[str] = set()
    for path in shard_paths(folder):
        for sample_id in read_column(path, "sample_id"):
            if sample_id in seen:
                yield Fault(FaultKind.DOUBLED, path.name, sample_id)
            elif _mark(sample_id) in suspects:
                seen.add(sample_id)


def _mark(sample_id: str) -> int:
    return int.from_bytes(blake2b(sample_id.encode("utf-8"), digest_size=8).digest(), "little")


def _written(path: Path) -> list[TranslatedSample]:
    return read_translated(path) if path.is_file() else []


def _known(path: Path) -> dict[str, Any]:
    """What the last audit found whole; nothing where there is none by these rules."""
    try:
        content = read_json(path)
        shards: dict[str, Any] = content["shards"] if content["rules"] == _RULES else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return shards


def _remember(found: Audit) -> dict[str, Any]:
    return {
        "samples": found.samples,
        "turns": found.turns,
        "by_person": found.by_person,
        "by_status": dict(found.by_status),
        "problems": dict(found.problems),
    }


def _remembered(kept: Mapping[str, Any]) -> Audit:
    return Audit(
        kept["samples"],
        kept["turns"],
        by_person=kept["by_person"],
        by_status=Counter(kept["by_status"]),
        problems=Counter(kept["problems"]),
    )
