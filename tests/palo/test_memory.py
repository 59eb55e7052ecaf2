"""The translation memory keeps what it was given, whatever happens to the process."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from palo.errors import UserError
from palo.memory import (
    Entry,
    TemporaryCounts,
    TranslationMemory,
    VerifiedEntry,
    VerifiedMemory,
    english_context,
    machine_key,
    segment_key,
)
from palo.schemas import Role, Turn, TurnStatus

TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)


def entry(source="Two.", text="دو۔", **changes):
    key = machine_key("s/1", "p1", "ur", source, "")
    made = Entry(
        key, source, "", text, TurnStatus.TRANSLATED, "stop", -0.5, 1, "scripted", "s/1", "p1", "",
        "2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    return replace(made, **changes)


def verified(text="دو۔", sample_id="s-0", turn=1, all_copies=False, created="2026-01-01", **more):
    values = {"source": "Two.", "context": "How many?", "reviewer": "r", "batch": "b1", **more}
    return VerifiedEntry(
        values["source"], values["context"], text, sample_id, turn, all_copies,
        values["reviewer"], values["batch"], created,
    )  # fmt: skip


@pytest.fixture
def memory(tmp_path):
    with TranslationMemory(tmp_path / "memory" / "ur.sqlite") as opened:
        yield opened


@pytest.fixture
def words(tmp_path):
    with VerifiedMemory(tmp_path / "memory" / "ur.verified.sqlite") as opened:
        yield opened


# Context and keys


TURNS = (
    Turn(Role.HUMAN, "<image>\nWhat is it?"),
    Turn(Role.GPT, "A star."),
    Turn(Role.HUMAN, "Where?"),
    Turn(Role.GPT, "Left."),
)


def test_an_answers_context_is_the_question_before_it_without_its_image_tag():
    assert [english_context(TURNS, turn) for turn in range(4)] == ["", "What is it?", "", "Where?"]


def test_an_answer_that_comes_first_has_no_context():
    assert english_context((Turn(Role.GPT, "A star."),), 0) == ""


def test_keys_have_16_bytes_and_do_not_change_between_versions():
    assert segment_key("Two.", "How many?").hex() == "62f5a771f6778d236a35c28bdd2c65de"
    assert machine_key("s", "p", "ur", "Two.", "").hex() == "3fa536915712438aeec6a3ee0dba4767"


@given(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS), st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS))
@example(("ab", "c", "", "", ""), ("a", "bc", "", "", ""))
@example(("", "a", "", "", ""), ("a", "", "", "", ""))
@example(("a\0", "b", "", "", ""), ("a", "\0b", "", "", ""))
def test_two_machine_keys_are_equal_only_where_every_part_is(one, other):
    assert (machine_key(*one) == machine_key(*other)) == (one == other)


@pytest.mark.parametrize("part", range(5))
def test_every_part_decides_the_machine_key(part):
    parts = ["signature", "prompt", "ur", "text", "context"]
    changed = [*parts[:part], parts[part] + "x", *parts[part + 1 :]]
    assert machine_key(*parts) != machine_key(*changed)


# What engines wrote


def test_an_entry_comes_back_as_it_was(memory):
    kept = entry()
    lost = entry("Red.", "", status=TurnStatus.FAILED, mean_logprob=None, problem="truncated")
    memory.put([kept, lost])
    assert memory.get([kept.key, lost.key]) == {kept.key: kept, lost.key: lost}
    assert isinstance(memory.get([lost.key])[lost.key].status, TurnStatus)


def test_a_key_that_is_not_there_is_missing_from_the_answer(memory):
    memory.put([entry()])
    assert memory.get([b"\0" * 16]) == {}
    assert memory.get([]) == {}
    assert list(memory.get([b"\0" * 16, entry().key])) == [entry().key]
    assert memory.has([b"\0" * 16, entry().key]) == {entry().key}


def test_a_key_is_written_once(memory):
    memory.put([entry(text="first")])
    memory.put([entry(text="second"), entry("Red.")])
    assert memory.get([entry().key])[entry().key].text == "first"
    assert memory.count() == 2


def test_more_keys_than_one_query_takes(memory):
    entries = [entry(f"{number}.") for number in range(1201)]
    memory.put(entries)
    assert len(memory.get([each.key for each in entries])) == 1201


@pytest.mark.parametrize(
    "text",
    ["a\0b", "\0", "", "क्या ی 一 \U0001f600", "\u00e9", "e\u0301", "x" * 2_000_000],
    ids=["nul inside", "nul", "empty", "scripts", "composed", "decomposed", "long"],
)
def test_texts_come_back_character_for_character(memory, text):
    memory.put([entry(source=text, text=text, context=text)])
    found = memory.get([machine_key("s/1", "p1", "ur", text, "")])
    assert [(each.source, each.context, each.text) for each in found.values()] == [
        (text, text, text)
    ]


def test_a_batch_is_written_whole_or_not_at_all(memory):
    with pytest.raises(UserError):
        memory.put([entry(), entry("Red.", None)])
    assert memory.count() == 0
    memory.put([entry()])
    assert memory.count() == 1


def test_the_file_keeps_its_entries(tmp_path):
    for number in range(3):
        with TranslationMemory(tmp_path / "ur.sqlite") as memory:
            memory.put([entry(f"{number}.")])
    with TranslationMemory(tmp_path / "ur.sqlite") as memory:
        assert memory.count() == 3


# Two connections, killed writers, broken files


def test_a_reader_sees_what_a_writer_commits_while_both_are_open(tmp_path):
    with TranslationMemory(tmp_path / "m") as writer, TranslationMemory(tmp_path / "m") as reader:
        assert reader.count() == 0
        writer.put([entry()])
        assert reader.get([entry().key]) == {entry().key: entry()}


def test_the_file_keeps_a_write_ahead_log(tmp_path):
    with (
        TranslationMemory(tmp_path / "ur.sqlite"),
        closing(sqlite3.connect(tmp_path / "ur.sqlite")) as other,
    ):
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_second_writer_is_told_that_the_memory_is_in_use(tmp_path, memory):
    with closing(sqlite3.connect(memory.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        memory._connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(UserError, match="is in use by another process"):
            memory.put([entry()])
        other.execute("ROLLBACK")
    memory.put([entry()])
    assert memory.count() == 1


def test_a_full_disk_is_said_and_loses_only_the_batch(memory):
    memory.put([entry()])
    pages = memory._connection.execute("PRAGMA page_count").fetchone()[0]
    memory._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(UserError, match=r"The disk is full: could not write .*ur\.sqlite"):
        memory.put([entry("Red.", "x" * 100_000)])
    memory._connection.execute("PRAGMA max_page_count = 100000")
    memory.put([entry("Red.", "x" * 100_000)])
    assert memory.count() == 2


@pytest.mark.parametrize("kind", [TranslationMemory, VerifiedMemory])
def test_a_file_that_is_no_memory_is_named_and_left_alone(tmp_path, kind):
    path = tmp_path / "ur.sqlite"
    path.write_bytes(b"no database at all " * 300)
    with pytest.raises(UserError) as raised:
        kind(path)
    assert str(raised.value) == (
        f"The translation memory {path} is damaged (file is not a database). It was left as it is. "
        "Save what can be read with `palo memory salvage --lang ur`, or restore a copy, and run "
        "the command again."
    )
    assert path.read_bytes() == b"no database at all " * 300
    assert [each.name for each in tmp_path.iterdir()] == ["ur.sqlite"]


def test_a_memory_with_overwritten_pages_is_named_and_left_alone(tmp_path):
    path = tmp_path / "ur.sqlite"
    entries = [entry(f"{number}.", "x" * 500) for number in range(200)]
    with TranslationMemory(path) as memory:
        memory.put(entries)
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xa5" * (len(data) - 8192)
    path.write_bytes(data)
    malformed = r"is damaged \(database disk image is malformed\)"
    with pytest.raises(UserError, match=malformed), TranslationMemory(path) as memory:
        memory.get([each.key for each in entries])
    assert path.read_bytes() == data


def test_a_cut_off_memory_is_named(tmp_path):
    path = tmp_path / "ur.sqlite"
    entries = [entry(f"{number}.", "x" * 500) for number in range(200)]
    with TranslationMemory(path) as memory:
        memory.put(entries)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(UserError, match="is damaged"), TranslationMemory(path) as memory:
        memory.get([each.key for each in entries])


def test_a_folder_in_the_memorys_place_is_an_error_for_the_user(tmp_path):
    (tmp_path / "ur.sqlite").mkdir()
    with pytest.raises(UserError, match=r"ur\.sqlite failed: unable to open database file"):
        TranslationMemory(tmp_path / "ur.sqlite")


WRITER = """
    import sys
    from pathlib import Path
    from palo.memory import Entry, TranslationMemory, machine_key
    from palo.schemas import TurnStatus
    with TranslationMemory(Path(sys.argv[1])) as memory:
        for batch in range(100_000):
            sources = [f"{batch}/{number}" for number in range(10)]
            memory.put([
                Entry(machine_key("s", "p", "ur", source, ""), source, "", "x" * 200,
                      TurnStatus.TRANSLATED, "stop", None, 1, "e", "s", "p", "", "t")
                for source in sources
            ])
            print(batch + 1, flush=True)
"""


@pytest.mark.parametrize("batches", [1, 23, 150])
def test_a_killed_writer_loses_at_most_the_batch_in_its_hands(tmp_path, batches):
    path = tmp_path / "ur.sqlite"
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        for line in writer.stdout:
            if int(line) == batches:
                break
        writer.send_signal(signal.SIGKILL)
        seen = int((writer.stdout.read().split() or [batches])[-1])
    with TranslationMemory(path) as memory:
        count = memory.count()
        assert count in (10 * seen, 10 * (seen + 1))
        keys = [machine_key("s", "p", "ur", f"{seen - 1}/{number}", "") for number in range(10)]
        assert len(memory.get(keys)) == 10
        memory.put([entry()])
        assert memory.count() == count + 1


# What people wrote


def find(words, sample_id="s-0", turn=1, text="Two.", context="How many?"):
    found = words.find(sample_id, turn, text, context)
    return found and found.text


def test_a_word_on_a_turn_counts_for_that_turn_alone(words):
    words.put([verified()])
    assert words.find("s-0", 1, "Two.", "How many?") == verified()
    assert find(words, sample_id="s-1") is None
    assert find(words, turn=3) is None


def test_a_word_for_all_copies_counts_for_every_equal_segment(words):
    words.put([verified(all_copies=True)])
    assert find(words, sample_id="s-9", turn=5) == "دو۔"
    assert find(words, text="Three.") is None
    assert find(words, context="How big?") is None


def test_a_word_on_a_turn_whose_text_has_changed_no_longer_counts(words):
    words.put([verified()])
    assert find(words, text="Two") is None


def test_the_turns_own_word_beats_one_for_all_copies_even_if_older(words):
    words.put([verified("own", created="2026-01-01")])
    words.put([verified("all", sample_id="s-1", all_copies=True, created="2026-02-01")])
    assert find(words) == "own"
    assert find(words, sample_id="s-2") == "all"


def test_of_several_for_all_copies_the_newest_counts(words):
    words.put([verified("new", sample_id="s-1", all_copies=True, created="2026-02-01")])
    words.put([verified("old", sample_id="s-2", all_copies=True, created="2026-01-01")])
    assert find(words, sample_id="s-9") == "new"


def test_of_equally_new_ones_the_first_turn_counts_whatever_came_first(tmp_path):
    rows = [verified(sample_id, sample_id=sample_id, all_copies=True) for sample_id in "cab"]
    for order in (rows, rows[::-1]):
        with VerifiedMemory(tmp_path / f"{order[0].sample_id}.sqlite") as words:
            words.put(order)
            assert find(words, sample_id="s-9") == "a"


def test_the_newest_word_on_a_turn_replaces_the_older(words):
    words.put([verified("old", all_copies=True)])
    words.put([verified("new", all_copies=False, batch="b2")])
    assert words.entries() == [verified("new", batch="b2")]
    assert find(words, sample_id="s-9") is None


def test_entries_come_in_an_order_of_their_own(tmp_path):
    rows = [
        verified(f"{turn}", sample_id=f"s-{number}", turn=turn, source=source)
        for number in (2, 0, 1)
        for turn in (3, 1)
        for source in ("Two.", "Red.")
    ]
    listed = []
    for order in (rows, rows[::-1]):
        with VerifiedMemory(tmp_path / f"{len(listed)}.sqlite") as words:
            words.put(order)
            listed.append(words.entries())
            assert words.count() == 12
    assert listed[0] == listed[1]
    assert sorted(map(str, listed[0])) == sorted(map(str, rows))


def test_what_people_wrote_keeps_every_field(words):
    told = verified("a\0b", turn=7, all_copies=True, reviewer="अ", batch="batch-2")
    words.put([told])
    assert words.entries() == [told]
    assert words.entries()[0].all_copies is True


def test_the_first_who_claims_a_key_learns_how_often_it_was_met():
    with TemporaryCounts() as counts:
        counts.add([("a", False), ("b", False), ("a", False)])
        assert [counts.claim(key) for key in ("a", "a", "b", "c")] == [2, 0, 1, 0]


def test_a_key_that_was_claimed_before_is_no_ones():
    with TemporaryCounts() as counts:
        counts.add([("a", False), ("a", True)])
        assert counts.claim("a") == 0


def test_the_words_on_a_sample_are_those_found_turn_by_turn(tmp_path):
    turns = [Turn(Role.HUMAN, "How many?"), Turn(Role.GPT, "Two."), Turn(Role.HUMAN, "Sure?")]
    with VerifiedMemory(tmp_path / "ur.verified.sqlite") as memory:
        assert memory.of_sample("s-0", turns) == {}
        own = verified()
        elsewhere = verified("یقیناً؟", "s-9", 0, True, source="Sure?", context="")
        memory.put([own, elsewhere, verified("x", "s-1")])
        assert memory.of_sample("s-0", turns) == {1: own, 2: elsewhere}
        assert memory.of_sample("s-2", turns) == {2: elsewhere}
