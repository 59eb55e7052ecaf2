"""Shards are written whole or not at all, and know what they were made from."""

import errno
import json
import os
import resource
import subprocess
import sys
import textwrap

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palo import shards
from palo.errors import UserError
from palo.schemas import (
    REFINED,
    SOURCE,
    TRANSLATED,
    Finding,
    RefinedSample,
    Role,
    Sample,
    TranslatedSample,
    Turn,
    TurnMeta,
    TurnStatus,
    Verdict,
)
from palo.settings import ConversationPolicy, RefineSettings

SAMPLE = Sample(
    "s-0",
    "000000000001",
    None,
    (Turn(Role.HUMAN, "<image>\nکیا ہے؟"), Turn(Role.GPT, "एक ক 一。")),
    "x.json",
)
META = TurnMeta(TurnStatus.COPIED, 0, "", None, "", "", "", "")
DONE = TurnMeta(TurnStatus.TRANSLATED, 2, "stop", -0.25, "scripted", "s/1", "ab" * 16, "")
TRANSLATED_SAMPLE = TranslatedSample(
    "s-0", "1", "ur", "a/b.jpg", SAMPLE.turns, SAMPLE.turns[::-1], (META, DONE), "x.json"
)
REFINED_SAMPLE = RefinedSample(
    TRANSLATED_SAMPLE,
    ((), (Finding("script", 0.5, Verdict.NOTE, "half"), Finding("x", None, Verdict.PASS, ""))),
    (Verdict.PASS, Verdict.NOTE),
    Verdict.NOTE,
    True,
)


def write(path, text="Two.", inputs=None):
    sample = Sample("s-0", "1", None, (Turn(Role.GPT, text),), "x.json")
    shards.write_shard(
        path, [shards.to_row(sample)], SOURCE, inputs or {"source": "d1"}, {"samples": 1}
    )


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_names_sort_as_their_numbers(tmp_path):
    for number in (10, 2, 0):
        write(tmp_path / shards.shard_name(number))
    (tmp_path / "part-00003.json").write_text("{}")
    (tmp_path / ".part-00004.parquet.1.tmp").write_text("")
    found = [path.name for path in shards.shard_paths(tmp_path)]
    assert found == ["part-00000.parquet", "part-00002.parquet", "part-00010.parquet"]


def test_a_folder_that_is_not_there_has_no_shards(tmp_path):
    assert shards.shard_paths(tmp_path / "no") == []


def test_equal_input_gives_equal_bytes(tmp_path):
    write(tmp_path / "a" / "part-00000.parquet")
    write(tmp_path / "b" / "part-00000.parquet")
    for name in ("part-00000.parquet", "part-00000.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert files(tmp_path / "a") == ["part-00000.json", "part-00000.parquet"]


def test_the_record_says_what_the_shard_was_made_from(tmp_path):
    path = tmp_path / "part-00000.parquet"
    write(path)
    record = shards.read_record(path)
    assert record == shards.ShardRecord({"source": "d1"}, {"samples": 1}, shards.file_digest(path))


def test_a_shard_is_current_until_an_input_or_a_byte_changes(tmp_path):
    path = tmp_path / "part-00000.parquet"
    write(path)
    assert shards.is_current(path, {"source": "d1"})
    assert not shards.is_current(path, {"source": "d2"})
    assert not shards.is_current(path, {"source": "d1", "settings": "s"})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert not shards.is_current(path, {"source": "d1"})


@pytest.mark.parametrize("lost", ["part-00000.parquet", "part-00000.json"])
def test_a_shard_without_its_file_or_record_is_not_current(tmp_path, lost):
    write(tmp_path / "part-00000.parquet")
    (tmp_path / lost).unlink()
    assert not shards.is_current(tmp_path / "part-00000.parquet", {"source": "d1"})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"inputs": {}}', '{"no": 1}', "null"])
def test_a_broken_record_makes_the_shard_stale_not_fatal(tmp_path, content):
    path = tmp_path / "part-00000.parquet"
    write(path)
    path.with_suffix(".json").write_text(content)
    assert shards.read_record(path) is None
    assert not shards.is_current(path, {"source": "d1"})


def test_a_new_shard_beside_an_old_record_is_redone(tmp_path):
    """What a crash between the shard's rename and its record's leaves."""
    path = tmp_path / "part-00000.parquet"
    write(path)
    old_record = path.with_suffix(".json").read_bytes()
    write(path, text="Three.")
    path.with_suffix(".json").write_bytes(old_record)
    assert not shards.is_current(path, {"source": "d1"})


def test_rows_keep_their_order_and_text(tmp_path):
    path = tmp_path / "part-00000.parquet"
    other = Sample("s-1", "1", "b.jpg", (), "y.json")
    rows = [shards.to_row(sample) for sample in (SAMPLE, other)]
    shards.write_shard(path, rows, SOURCE, {}, {})
    assert shards.read_samples(path) == [SAMPLE, other]
    assert pq.read_schema(path).names == SOURCE.names


def test_an_empty_shard_is_a_shard(tmp_path):
    shards.write_shard(tmp_path / "part-00000.parquet", [], SOURCE, {}, {"samples": 0})
    assert shards.read_shard(tmp_path / "part-00000.parquet") == []


def test_translated_and_refined_rows_come_back_as_they_were(tmp_path):
    path = tmp_path / "part-00000.parquet"
    shards.write_shard(path, [shards.to_row(TRANSLATED_SAMPLE)], TRANSLATED, {}, {})
    assert shards.read_translated(path) == [TRANSLATED_SAMPLE]
    shards.write_shard(path, [shards.to_row(REFINED_SAMPLE)], REFINED, {}, {})
    assert shards.read_refined(path) == [REFINED_SAMPLE]


def test_closed_sets_come_back_as_enums(tmp_path):
    path = tmp_path / "part-00000.parquet"
    shards.write_shard(path, [shards.to_row(REFINED_SAMPLE)], REFINED, {}, {})
    refined = shards.read_refined(path)[0]
    assert isinstance(refined.verdict, Verdict)
    assert isinstance(refined.sample.meta[1].status, TurnStatus)
    assert isinstance(refined.sample.source[0].role, Role)


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    path = tmp_path / "part-00000.parquet"
    path.write_bytes(b"not parquet")
    with pytest.raises(UserError, match=r"Cannot read shard .*part-00000\.parquet: .* Remove it"):
        shards.read_shard(path)
    with pytest.raises(UserError, match="Cannot read shard"):
        shards.read_shard(tmp_path / "missing.parquet")


def test_removing_spares_what_is_kept(tmp_path):
    for number in range(3):
        write(tmp_path / shards.shard_name(number))
    (tmp_path / "manifest.json").write_text("{}")
    left_behind = tmp_path / ".part-00007.parquet.4711.tmp"
    left_behind.write_bytes(b"half a shard")
    shards.remove_shards(tmp_path, keep=[tmp_path / "part-00001.parquet"])
    assert not left_behind.exists()
    assert files(tmp_path) == ["manifest.json", "part-00001.json", "part-00001.parquet"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_keeps_the_old_shard_and_leaves_no_temporary_file(
    tmp_path, monkeypatch, number
):
    path = tmp_path / "part-00000.parquet"
    write(path)
    before = path.read_bytes()

    def full(table, temporary, **options):
        temporary.write_bytes(b"half")
        raise OSError(number, os.strerror(number), str(temporary))

    monkeypatch.setattr(shards.pq, "write_table", full)
    with pytest.raises(UserError) as raised:
        write(path, text="Three.")
    assert str(raised.value) == (
        f"The disk is full: could not write {path}. Nothing is lost: make room and run the same "
        "command again, it goes on where it stopped."
    )
    assert path.read_bytes() == before
    assert files(tmp_path) == ["part-00000.json", "part-00000.parquet"]


def test_other_failures_of_the_disk_stay_what_they_are(tmp_path):
    with pytest.raises(OSError, match="Input/output"), shards.replaced(tmp_path / "x") as temporary:
        temporary.write_text("half")
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    assert files(tmp_path) == []


def test_parquets_own_writer_reports_a_real_limit_as_a_full_disk(tmp_path):
    """A file size limit stands in for a full disk: the kernel refuses the write."""
    program = f"""
        import random, resource
        from pathlib import Path
        from palo import shards
        from palo.schemas import SOURCE, Role, Sample, Turn
        text = "".join(map(chr, random.Random(7).choices(range(0x4e00, 0x9fff), k=200_000)))
        rows = [shards.to_row(Sample("s", "1", None, (Turn(Role.GPT, text),), "x"))]
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, {resource.RLIM_INFINITY}))
        try:
            shards.write_shard(Path("part-00000.parquet"), rows, SOURCE, {{}}, {{}})
        except shards.UserError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith("The disk is full: could not write part-00000.parquet.")
    assert files(tmp_path) == []


def test_json_is_sorted_readable_and_ends_in_a_line_break(tmp_path):
    shards.write_json(tmp_path / "deep" / "x.json", {"b": "اردو", "a": [1]})
    text = (tmp_path / "deep" / "x.json").read_text(encoding="utf-8")
    assert text == '{\n "a": [\n  1\n ],\n "b": "اردو"\n}\n'
    assert shards.read_json(tmp_path / "deep" / "x.json") == {"a": [1], "b": "اردو"}
    assert files(tmp_path / "deep") == ["x.json"]


def test_what_json_cannot_hold_replaces_nothing(tmp_path):
    path = tmp_path / "x.json"
    shards.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        shards.write_json(path, {"a": object()})
    assert shards.read_json(path) == {"a": 1}
    assert files(tmp_path) == ["x.json"]


def test_a_broken_json_file_is_named(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text("{")
    with pytest.raises(UserError, match=r"manifest\.json is not valid JSON .* Remove it"):
        shards.read_json(path)


def test_digests_depend_on_the_value_not_on_its_order():
    assert shards.digest({"a": 1, "b": [2]}) == shards.digest({"b": [2], "a": 1})
    assert shards.digest(["a", "b"]) != shards.digest(["b", "a"])
    assert len(shards.digest(None)) == 32


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


@given(JSON_VALUES, JSON_VALUES)
def test_digests_differ_where_the_json_does(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (shards.digest(one) == shards.digest(other)) == same


def test_a_files_digest_covers_every_piece(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"a" * (1 << 20) + b"b")
    before = shards.file_digest(path)
    path.write_bytes(b"a" * (1 << 20) + b"c")
    assert len(before) == 32 and shards.file_digest(path) != before


def test_a_folders_digest_is_its_records_and_nothing_where_there_is_none(tmp_path):
    assert shards.records_digest(tmp_path) == ""
    path = tmp_path / shards.shard_name(0)
    shards.write_shard(path, [shards.to_row(SAMPLE)], SOURCE, {}, {"samples": 1})
    first = shards.records_digest(tmp_path)
    shards.write_shard(path, [], SOURCE, {}, {"samples": 0})
    assert "" != first != shards.records_digest(tmp_path)


def test_rows_for_others_are_written_batch_by_batch_or_not_at_all(tmp_path):
    row = shards.to_row(SAMPLE)
    shards.write_rows(tmp_path / "x.parquet", iter([[row], [row, row]]), SOURCE)
    assert shards.read_samples(tmp_path / "x.parquet") == [SAMPLE] * 3

    def breaking():
        yield [row]
        raise KeyError("x")

    with pytest.raises(KeyError):
        shards.write_rows(tmp_path / "y.parquet", breaking(), SOURCE)
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize(
    ("policy", "counts"),
    [
        (RefineSettings(), [2, 0]),
        (RefineSettings(keep_review=True), [2, 2]),
        (RefineSettings(policy=ConversationPolicy.WHOLE), [2, 2]),
    ],
)
def test_training_takes_what_the_policy_allows_and_the_shard_kept(run_data, policy, counts):
    folder = run_data.paths.refined("ur")
    path = folder / shards.shard_name(0)
    rows = [shards.to_row(row) for row in shards.read_refined(path)]
    found = list(shards.training_conversations(folder, policy, ("sample_id", "image")))
    assert found == [(2, 2, ["s-0", "source/red.jpg"]), (0, 2, ["s-1", "source/broken.jpg"])]
    rows = [{**row, "kept": True} for row in rows]
    shards.write_shard(path, rows, REFINED, {}, {})
    assert [n for n, _, _ in shards.training_conversations(folder, policy, ())] == counts
