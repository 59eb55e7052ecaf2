"""The audit reads what was written: whatever is wrong in the shards, it names the row."""

from dataclasses import replace

import pytest

from palo.engines.stream import ScriptedEngine
from palo.errors import NotWhole
from palo.files import read_json
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.schemas import TRANSLATED, Role, Turn, TurnStatus
from palo.shards import (
    read_record,
    read_samples,
    read_translated,
    shard_paths,
    to_row,
    write_shard,
)
from translate.account import FaultKind, account_for, require_whole, turn_fault
from translate.run import translate_language


@pytest.fixture
def done(paths, make_job):
    """A finished French run; its TRANSLATED shards."""
    translate_language(make_job(), paths, ScriptedEngine())
    return shard_paths(paths.translated("fr"))


def audit(paths):
    return account_for("fr", shard_paths(paths.source_dir), paths.translated("fr"))


def rewrite(path, change):
    """Writes other rows with the old record's inputs, as a faulty writer would."""
    record = read_record(path)
    rows = change(read_translated(path))
    write_shard(path, [to_row(row) for row in rows], TRANSLATED, record.inputs, {})


def with_target(row, index, text):
    targets = list(row.target)
    targets[index] = Turn(targets[index].role, text)
    return replace(row, target=tuple(targets))


def test_a_sound_run_is_whole_and_adds_up(paths, done):
    found = audit(paths)
    assert (found.samples, found.turns, found.shards) == (40, 160, 6)
    assert found.by_status == {"translated": 160}
    assert found.balanced


def test_shards_that_were_whole_and_are_unchanged_are_not_read_again(paths, done):
    assert audit(paths).reread == 0
    rewrite(done[2], lambda rows: rows[::-1])
    again = audit(paths)
    assert (again.reread, again.by_status.total(), again.balanced) == (1, 160, True)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (lambda rows: rows[1:], {FaultKind.MISSING: 1}),
        (lambda rows: [*rows, rows[0]], {FaultKind.DOUBLED: 1}),
        (lambda rows: [*rows, replace(rows[0], sample_id="x")], {FaultKind.FOREIGN: 1}),
        (lambda rows: [replace(rows[0], image="y.jpg"), *rows[1:]], {FaultKind.CHANGED: 1}),
        (lambda rows: [replace(rows[0], lang="es"), *rows[1:]], {FaultKind.CHANGED: 1}),
        (
            lambda rows: [replace(rows[0], target=rows[0].target[:-1]), *rows[1:]],
            {FaultKind.TURNS: 1},
        ),
        (
            lambda rows: [
                replace(rows[0], target=(Turn(Role.GPT, ""), *rows[0].target[1:])),
                *rows[1:],
            ],
            {FaultKind.TURNS: 1},
        ),
        (
            lambda rows: [with_target(rows[0], 0, "Quoi ?\n<image>"), *rows[1:]],
            {FaultKind.IMAGE: 1},
        ),
        (lambda rows: [with_target(rows[0], 1, "Une étoile."), *rows[1:]], {FaultKind.SPAN: 1}),
        (lambda rows: [with_target(rows[0], 3, "Deux 🙂"), *rows[1:]], {FaultKind.SPAN: 1}),
    ],
)
def test_what_is_wrong_in_a_shard_is_counted_and_its_row_named(paths, done, change, kinds):
    first = read_translated(done[1])[0].sample_id
    rewrite(done[1], change)
    found = audit(paths)
    assert found.fault_counts == kinds
    assert not found.balanced
    assert found.faults[0].partition(": ")[2].partition(", turn")[0] in (
        f"part-00001.parquet, sample {first}",
        "part-00001.parquet, sample x",
    )
    with pytest.raises(NotWhole, match=r"part-00001\.parquet, sample") as error:
        require_whole({"fr": found}, paths)
    assert error.value.exit_code == 3
    assert audit(paths).fault_counts == kinds  # what is broken is never trusted


def test_a_shard_that_is_not_there_is_missing_row_by_row(paths, done):
    done[0].unlink()
    found = audit(paths)
    assert found.fault_counts == {FaultKind.MISSING: 7}
    assert (found.turns, found.by_status.total()) == (160, 132)


def test_a_sample_in_two_shards_is_doubled(paths, done):
    moved = read_translated(done[0])[0]
    rewrite(done[1], lambda rows: [*rows, moved])
    found = audit(paths)
    assert found.fault_counts == {FaultKind.FOREIGN: 1, FaultKind.DOUBLED: 1}


def test_a_persons_text_that_lost_a_span_is_counted_but_no_fault(paths, make_job, done):
    (first, *_) = read_samples(shard_paths(paths.source_dir)[0])
    context = "What is in part 0 of the picture?"
    entry = VerifiedEntry(
        first.turns[1].text, context, "Une étoile.", first.sample_id, 1, False, "ana", "b", "2026"
    )
    with VerifiedMemory(paths.verified("fr")) as verified:
        verified.put([entry])
    report = translate_language(make_job(), paths, ScriptedEngine())
    assert (report.account.by_person, report.account.balanced) == (1, True)
    account = read_json(paths.translated("fr") / "manifest.json")["audit"]
    assert account == {
        "whole": True,
        "source_turns": 160,
        "turns_in_shards": 160,
        "verified_with_other_spans": 1,
        "faults": {},
        "first_faults": [],
    }


@pytest.mark.parametrize(
    ("source", "target", "status", "fault"),
    [
        ("<image>\nWhat?", "<image>\nکیا؟", TurnStatus.TRANSLATED, None),
        ("<image>\nWhat?", "<image> کیا؟", TurnStatus.TRANSLATED, FaultKind.IMAGE),
        ("What?\n<image>", "\n<image>", TurnStatus.FAILED, None),
        ("What?\n<image>", "", TurnStatus.FAILED, FaultKind.IMAGE),
        ("See {a} and <b>x</b>", "{a}", TurnStatus.FAILED, None),
        ("See {a}", "看 {b}", TurnStatus.TRANSLATED, FaultKind.SPAN),
        ("In <image> here", "यहाँ <image> में", TurnStatus.TRANSLATED, None),
        ("12 %", "12 %", TurnStatus.COPIED, None),
        ("12 %", "১২ %", TurnStatus.COPIED, FaultKind.COPY),
    ],
)
def test_a_turn_must_hold_what_its_status_promises(source, target, status, fault):
    assert turn_fault(source, target, status) is fault
