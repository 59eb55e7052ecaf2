"""The account of a run: what lies in the TRANSLATED shards, read back and held against the source.

    account = account_for("ur", sources, folder)

It believes nothing of what the run meant to write. A pair of shards that was found whole once, and
whose bytes are still the same, is not read again: `audit.json` beside the shards says what was in
it. Sample ids are looked at across all shards every time.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import compress
from pathlib import Path
from typing import Any

from palo.checks.structure import image_frame, span_difference
from palo.errors import NotWhole
from palo.files import file_digest, read_json, write_json
from palo.paths import DataPaths
from palo.schemas import IMAGE_TAG, Sample, TranslatedSample, TurnStatus
from palo.shards import read_samples, read_shard, read_translated, shard_paths
from translate.ingest import SeenIds

ACCOUNT_NAME = "audit.json"
_RULES = "1"  # raise when the same shards might be judged otherwise
_FAULTS_KEPT = 20  # of a broken run the first ones are named, all are counted
_FAULTS_SAID = 3
_REMEMBERED = ("samples", "turns", "by_person", "by_status", "problems")  # of a whole shard


class FaultKind(StrEnum):
    MISSING = "sample missing"
    FOREIGN = "sample not in the source"
    DOUBLED = "sample there twice"
    CHANGED = "sample's source, image or language changed"
    TURNS = "number of turns or roles changed"
    IMAGE = "image tag moved"
    SPAN = "protected span lost or made up"
    COPY = "copied turn differs from its source"


@dataclass
class Account:
    """`samples` and `turns` are the source's; `by_status` is what the shards hold for them.
    `by_person` counts verified turns whose text lost or moved a protected span: a person may.
    `reread` counts the shards that were read back in this run."""

    samples: int = 0
    turns: int = 0
    shards: int = 0
    reread: int = 0
    by_person: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    fault_counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.by_status, self.problems = Counter(self.by_status), Counter(self.problems)

    @property
    def balanced(self) -> bool:
        return self.turns == self.by_status.total() and not self.fault_counts

    def __add__(self, other: "Account") -> "Account":
        sums = {name: value + getattr(other, name) for name, value in vars(self).items()}
        return Account(**sums | {"faults": sums["faults"][:_FAULTS_KEPT]})

    def blame(self, kind: FaultKind, shard: str, sample_id: str, turn: int | None = None) -> None:
        """`turn` is None where the whole sample is meant."""
        self.fault_counts[kind] += 1
        if len(self.faults) < _FAULTS_KEPT:
            place = "" if turn is None else f", turn {turn}"
            self.faults.append(f"{kind}: {shard}, sample {sample_id}{place}")


def account_for(lang: str, sources: Sequence[Path], folder: Path) -> Account:
    """Reads what the writer left in `folder`; writes `audit.json` there for the next run."""
    try:
        content = read_json(folder / ACCOUNT_NAME)
        known: dict[str, Any] = content["shards"] if content["rules"] == _RULES else {}
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    account, whole = Account(shards=len(sources)), {}
    for path in sources:
        target = folder / path.name
        digests = [file_digest(path), file_digest(target) if target.is_file() else ""]
        entry = known.get(path.name)
        if entry and entry["digests"] == digests:
            part = Account(**entry["found"])
        else:
            written = read_translated(target) if target.is_file() else []
            part = _account_for_shard(lang, target.name, read_samples(path), written)
            account.reread += 1
        account += part
        if part.balanced:
            found = {name: getattr(part, name) for name in _REMEMBERED}
            whole[path.name] = {"digests": digests, "found": found}
    for shard, sample_id in _doubled(folder):
        account.blame(FaultKind.DOUBLED, shard, sample_id)
    write_json(folder / ACCOUNT_NAME, {"rules": _RULES, "shards": whole})
    return account


def _account_for_shard(
    lang: str, shard: str, source: Sequence[Sample], written: Sequence[TranslatedSample]
) -> Account:
    """Holds the rows of one TRANSLATED shard against those of its SOURCE shard."""
    account = Account(len(source), sum(len(sample.turns) for sample in source))
    rows = {row.sample_id: row for row in written}
    for sample in source:
        row = rows.pop(sample.sample_id, None)
        if row is None:
            account.blame(FaultKind.MISSING, shard, sample.sample_id)
            continue
        for meta in row.meta:
            account.by_status[str(meta.status)] += 1
            if meta.status is TurnStatus.FAILED:
                # by kind: what comes after the colon differs from row to row
                account.problems[meta.problem.partition(":")[0]] += 1
        here = (sample.source_id, sample.image, sample.origin, sample.turns, lang)
        if (row.source_id, row.image, row.origin, row.source, row.lang) != here:
            account.blame(FaultKind.CHANGED, shard, sample.sample_id)
        roles = [turn.role for turn in sample.turns]
        if [turn.role for turn in row.target] != roles or len(row.meta) != len(roles):
            account.blame(FaultKind.TURNS, shard, sample.sample_id)
            continue
        turns = zip(sample.turns, row.target, row.meta, strict=True)
        for index, (turn, target, meta) in enumerate(turns):
            kind = turn_fault(turn.text, target.text, meta.status)
            if kind and meta.status is TurnStatus.VERIFIED:
                account.by_person += 1
            elif kind:
                account.blame(kind, shard, sample.sample_id, index)
    for sample_id in rows:
        account.blame(FaultKind.FOREIGN, shard, sample_id)
    return account


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


def _doubled(folder: Path) -> Iterator[tuple[str, str]]:
    """Shard and id of samples that are in the shards more than once. Where the marks of two ids are
    equal the ids themselves are compared, so a chance equality accuses nobody."""
    marks, suspects, met = SeenIds(), set[str](), set[str]()
    for path in shard_paths(folder):
        ids = [row["sample_id"] for row in read_shard(path, ["sample_id"])]
        suspects |= set(compress(ids, marks.add(ids)))
    for path in shard_paths(folder) if suspects else ():
        for sample_id in (row["sample_id"] for row in read_shard(path, ["sample_id"])):
            if sample_id in met:
                yield path.name, sample_id
            elif sample_id in suspects:
                met.add(sample_id)


def require_whole(accounts: Mapping[str, Account], paths: DataPaths) -> None:
    """Raises NotWhole with the first rows of every language whose account does not balance."""
    broken = {lang: account for lang, account in accounts.items() if not account.balanced}
    if not broken:
        return
    lines = ["The audit found shards that do not match the source:"]
    for lang, account in broken.items():
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in account.fault_counts.most_common())
        sums = f"{account.turns:,} source turns, {account.by_status.total():,} in the shards"
        named = "; ".join(account.faults[:_FAULTS_SAID]) or "no single row"
        lines.append(f"- {lang}: {sums}{f'; {kinds}' if kinds else ''}. First: {named}")
    where = ", ".join(str(paths.translated(lang)) for lang in broken)
    lines.append(
        "Nothing is lost: every translation is in the memory. Remove the shards named (in "
        f"{where}) and run the same command again; if it comes again, it is a fault of palo."
    )
    raise NotWhole("\n".join(lines))
