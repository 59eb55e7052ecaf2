import json

import pytest

from palo.errors import UserError
from palo.llava import MAX_ITEM_CHARS, BrokenTail, Oversized, read_conversations, stream_list


def items(path):
    """What came before the end or the break, and why it broke ("" if it did not)."""
    found = []
    try:
        for item in stream_list(path):
            found.append(item)
    except BrokenTail as error:
        return found, str(error)
    return found, ""


def written(tmp_path, data):
    path = tmp_path / "list.json"
    path.write_bytes(data)
    return path


def test_items_come_in_order_and_equal_what_json_reads(tmp_path):
    value = [{"a": [1, 2.5, None]}, 'text, with ] and "', [], 7, {"b": "چھوٹا ستارہ 🌟"}]
    path = written(tmp_path, json.dumps(value, ensure_ascii=False, indent=2).encode())
    assert items(path) == (value, "")


def test_empty_list_and_byte_order_mark_are_read(tmp_path):
    assert items(written(tmp_path, b" [ ] \n")) == ([], "")
    assert items(written(tmp_path, b"\xef\xbb\xbf[1]")) == ([1], "")


def test_items_larger_than_the_window_are_whole(tmp_path):
    long = "x" * 3_500_000
    assert items(written(tmp_path, json.dumps([1, long, 2]).encode())) == ([1, long, 2], "")


def test_number_at_the_edge_of_the_window_is_not_cut(tmp_path):
    padding = b" " * ((1 << 20) - 5)
    assert items(written(tmp_path, b"[" + padding + b"123456789, 1]")) == ([123456789, 1], "")


def test_character_across_the_edge_of_the_window_is_not_cut(tmp_path):
    text = "a" * ((1 << 20) - 3) + "語" * 5
    assert items(written(tmp_path, json.dumps([text], ensure_ascii=False).encode())) == ([text], "")


@pytest.mark.parametrize(
    ("data", "before"),
    [
        (b'[{"a": 1}, {"a": 2}, {"a":', [{"a": 1}, {"a": 2}]),
        (b'[{"a": 1}, {"a" 2}]', [{"a": 1}]),
        (b"[1, 2", [1, 2]),
        (b"[1, 2,", [1, 2]),
        (b"[1 2]", [1]),
        (b"[1] trailing", [1]),
        (b"[1, 2}", [1, 2]),
        (b"[1, " + b"[" * 200_000, [1]),
    ],
)
def test_broken_tail_keeps_what_came_before_and_says_why(tmp_path, data, before):
    found, why = items(written(tmp_path, data))
    assert found == before
    assert why


def test_lone_surrogates_and_invalid_utf8_stay_inside_their_item(tmp_path):
    found, why = items(written(tmp_path, rb'["x\ud800y", "' + b"\xff" + rb'", "fine"]'))
    assert found == ["x\ud800y", "\udcff", "fine"]
    assert why == ""


@pytest.mark.parametrize("piece", ["x", "\\\\", '\\"', "\\u0041", "]}{[", "é"])
def test_an_item_too_large_to_hold_is_passed_over_and_named(tmp_path, piece):
    long = piece * (MAX_ITEM_CHARS // len(piece) + 100_003)
    large = f'{{"id" : "a\\"b", "image": "x.jpg", "text": ["{long}"], "late": 1}}'
    path = written(tmp_path, f'[1, {large} , "{long}", {{"id": 2}}]'.encode())
    found, why = items(path)
    assert (found[0], found[3], why) == (1, {"id": 2}, "")
    assert [one.num_chars for one in found[1:3]] == [len(large), len(long) + 2]
    assert large.startswith(found[1].head)
    assert found[1].member("id") == 'a"b'
    assert found[1].member("image") == "x.jpg"
    assert found[1].member("late") is None
    assert isinstance(found[2], Oversized)
    assert found[2].member("id") is None


@pytest.mark.parametrize("bad", ['{"id" 5}', '{"id": 5]', "5" * 5000, "nul", '{"open": "'])
def test_what_is_no_json_is_not_taken_for_a_large_item(tmp_path, bad):
    rest = ', {"id": 2}' * (MAX_ITEM_CHARS // 10)
    found, why = items(written(tmp_path, f"[1, {bad}{rest}]".encode()))
    assert found == [1]
    assert why


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b'{"id": 1}\n{"id": 2}', "one object a line"),
        (b"PK\x03\x04", "is not JSON"),
    ],
)
def test_a_file_that_is_no_list_is_the_users_error(tmp_path, data, said):
    with pytest.raises(UserError, match=said):
        list(stream_list(written(tmp_path, data)))


def test_missing_file_and_folder_are_the_users_error(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        list(stream_list(tmp_path / "none.json"))
    with pytest.raises(UserError, match="Cannot read"):
        list(stream_list(tmp_path))


ITEM = {"id": 7, "image": "a.jpg", "conversations": [{"from": "human", "value": "Two?"}]}


def test_conversations_come_as_they_are_in_the_list(tmp_path):
    path = written(tmp_path, json.dumps([ITEM, {"id": "b", "conversations": []}]).encode())
    turns = (("human", "Two?"),)
    assert list(read_conversations(path)) == [(7, "a.jpg", turns), ("b", None, ())]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ('{"id": 1}]', "Sample 2 of .* has no LLaVA form: KeyError.'conversations'."),
        ('{"id": 1, "conversations": [{"from": "bot", "value": ""}]}]', "Sample 2 of .*bot"),
        ('{"id": 1, "conversations": [{"from": "gpt", "value": 2}]}]', "Sample 2 of .* no LLaVA"),
        ('{"id": "\\ud800", "conversations": []}]', "Sample 2 of .* half of a surrogate pair"),
        ("7]", "Sample 2 of .* has no LLaVA form"),
        ("", "breaks off after sample 1: "),
    ],
)
def test_an_item_of_another_form_is_named(tmp_path, second, said):
    path = written(tmp_path, f"[{json.dumps(ITEM)}, {second}".encode())
    reader = read_conversations(path)
    assert next(reader)[0] == 7
    with pytest.raises(UserError, match=said):
        next(reader)
