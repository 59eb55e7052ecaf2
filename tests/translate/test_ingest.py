import json
import random

import pytest

from palo.errors import UserError
from palo.schemas import Role, Turn
from palo.settings import SourceSettings
from palo.shards import read_samples, shard_paths
from translate.ingest import ingest


def talk(*texts):
    roles = ("human", "gpt")
    return [{"from": roles[at % 2], "value": text} for at, text in enumerate(texts)]


def item(source_id, *texts, image="a.jpg"):
    return {"id": source_id, "image": image, "conversations": talk(*texts)}


def read(tmp_path, value, name="llava.json", **settings):
    """Ingests the list; returns the report, the samples and the set-aside lines."""
    path = tmp_path / name
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    path.write_bytes(data)
    folder = tmp_path / "source"
    report = ingest(SourceSettings(path=path, **settings), folder)
    samples = [sample for shard in shard_paths(folder) for sample in read_samples(shard)]
    lines = (folder / "set-aside.jsonl").read_text(encoding="utf-8").split("\n")
    return report, samples, [json.loads(line) for line in lines if line]


def test_samples_keep_ids_images_and_turns_byte_for_byte(tmp_path):
    report, samples, aside = read(
        tmp_path,
        [
            item("000000525439", "<image>\nWhat?", " A dog.\r\n"),
            item(17, "Who?", "Ω 🌟 ۔", image=None),
            {"id": "no-image", "conversations": talk("Hi", "Hello")},
        ],
    )
    assert [sample.source_id for sample in samples] == ["000000525439", "17", "no-image"]
    assert [sample.image for sample in samples] == ["a.jpg", None, None]
    assert samples[0].turns == (
        Turn(Role.HUMAN, "<image>\nWhat?"),
        Turn(Role.GPT, " A dog.\r\n"),
    )
    assert samples[1].turns[1].text == "Ω 🌟 ۔"
    assert {sample.origin for sample in samples} == {"llava.json"}
    assert (report.samples, report.turns, report.set_aside, aside) == (3, 6, 0, [])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("text", "must be an object"),
        ({"id": 1}, "conversations is missing"),
        ({"id": 1, "conversations": "text"}, "conversations is missing"),
        ({"id": 1, "conversations": []}, "conversations is empty"),
        ({"id": 1, "conversations": ["text"]}, "turn 1 must be an object"),
        ({"id": 1, "conversations": talk("a", "b")[::-1]}, "turn 1 is from 'gpt'"),
        ({"id": 1, "conversations": [*talk("a"), *talk("b")]}, "turn 2 is from 'human'"),
        ({"id": 1, "conversations": talk("a", "b", "c")}, "last question has no answer"),
        ({"id": 1, "conversations": talk("a", 5)}, "turn 2 has no text"),
        ({"id": 1, "conversations": talk("a", None)}, "turn 2 has no text"),
        ({"id": 1, "conversations": talk("a", " \n")}, "turn 2 is empty"),
        ({"id": 1, "conversations": talk("a", "x\0y")}, "turn 2 holds a NUL"),
        ({"id": 1, "conversations": talk("a\ud800", "b")}, "turn 1 holds a lone surrogate"),
        ({"id": 1, "conversations": talk("a", "b" * 501)}, "turn 2 has 501 characters"),
        ({"id": 1, "conversations": talk("<image>\na", "b")}, "no image"),
        ({"id": 1, "image": 5, "conversations": talk("a", "b")}, "image must be a path"),
        ({"id": 1, "image": "a\0", "conversations": talk("a", "b")}, "image holds a NUL"),
        ({"id": ["x"], "conversations": talk("a", "b")}, "id must be text"),
        ({"id": "\udfff", "conversations": talk("a", "b")}, "id holds a lone surrogate"),
    ],
)
def test_malformed_sample_is_set_aside_with_its_reason_and_the_rest_goes_on(tmp_path, bad, reason):
    value = [item("before", "q", "a"), bad, item("after", "q", "a")]
    report, samples, aside = read(tmp_path, value, max_turn_chars=500)
    assert [sample.source_id for sample in samples] == ["before", "after"]
    assert [line["index"] for line in aside] == [1]
    assert reason in aside[0]["reason"]
    assert aside[0]["item"] == bad
    assert report.set_aside == 1


def test_invalid_utf8_costs_only_its_own_sample(tmp_path):
    good = json.dumps(item("good", "q", "a")).encode()
    bad = json.dumps(item("bad", "q", "MARK")).encode().replace(b"MARK", b"\xff\xfe")
    _, samples, aside = read(tmp_path, b"[" + b",".join([good, bad, good]) + b"]")
    assert [sample.source_id for sample in samples] == ["good", "good"]
    assert aside[0]["reason"] == "turn 2 holds a lone surrogate or invalid UTF-8"


def test_broken_tail_keeps_what_came_before_and_is_reported(tmp_path):
    whole = json.dumps([item(str(number), "q", "a") for number in range(5)])
    report, samples, aside = read(tmp_path, whole[:-40].encode())
    assert [sample.source_id for sample in samples] == ["0", "1", "2", "3"]
    assert "after 4 items" in report.broken
    assert aside[-1]["index"] == 4


def test_repeated_ids_and_exact_duplicates_get_ids_of_their_own(tmp_path):
    value = [item("7", "q", "a"), item("7", "q", "b"), item("7", "q", "a"), item("7", "q", "a")]
    _, samples, _ = read(tmp_path, value)
    ids = [sample.sample_id for sample in samples]
    assert len(set(ids)) == 4
    assert ids[2] == ids[0] + "-2"
    assert ids[3] == ids[0] + "-3"
    assert all(one.startswith("7-") for one in ids)


def test_ids_do_not_depend_on_the_order_or_on_what_else_is_in_the_file(tmp_path):
    value = [item(str(number % 9), f"question {number}", "a") for number in range(40)]
    _, samples, _ = read(tmp_path, value)
    by_question = {sample.turns[0].text: sample.sample_id for sample in samples}
    random.Random(3).shuffle(value)
    _, again, _ = read(tmp_path, [item("new", "first", "a"), *value, {"id": "bad"}], shard_rows=7)
    shuffled = {sample.turns[0].text: sample.sample_id for sample in again}
    assert {text: shuffled[text] for text in by_question} == by_question


def test_unchanged_file_is_not_read_again_and_a_shorter_one_leaves_no_stale_shard(tmp_path):
    value = [item(str(number), "q", str(number)) for number in range(10)]
    first, _, _ = read(tmp_path, value, shard_rows=4)
    assert (first.shards, first.skipped) == (3, False)
    times = [path.stat().st_mtime_ns for path in shard_paths(tmp_path / "source")]
    second, _, _ = read(tmp_path, value, shard_rows=4)
    assert (second.shards, second.samples, second.skipped) == (3, 10, True)
    assert [path.stat().st_mtime_ns for path in shard_paths(tmp_path / "source")] == times
    third, samples, _ = read(tmp_path, value[:3], shard_rows=4)
    assert (third.shards, third.skipped, len(samples)) == (1, False, 3)


def test_a_damaged_shard_is_written_again(tmp_path):
    value = [item("1", "q", "a")]
    read(tmp_path, value)
    path = shard_paths(tmp_path / "source")[0]
    good = path.read_bytes()
    path.write_bytes(good[:-10])
    report, _, _ = read(tmp_path, value)
    assert not report.skipped
    assert path.read_bytes() == good


def test_a_file_without_one_usable_sample_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="no usable sample: 2 set aside"):
        read(tmp_path, [1, {"id": 2}])


def test_missing_file_is_the_users_error(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        ingest(SourceSettings(path=tmp_path / "none.json"), tmp_path / "source")
