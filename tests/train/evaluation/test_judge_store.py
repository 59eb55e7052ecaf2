import json

import pytest

from palo.errors import UserError
from train.evaluation.judge import Store


def test_rows_come_back_by_key_in_their_order(tmp_path):
    path = tmp_path / "new" / "rows.jsonl"
    with Store(path) as store:
        store.add("a", {"n": 1})
        store.add("b", {"n": 2})
        store.add("a", {"n": 3})
    with Store(path) as store:
        assert store.rows("a") == [{"n": 1}, {"n": 3}]
        assert store.rows("none") == []


def test_what_a_killed_process_left_of_a_line_is_cut_and_the_rest_kept(tmp_path):
    path = tmp_path / "rows.jsonl"
    with Store(path) as store:
        store.add("a", {"text": "whole"})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"key": "b", "te')
    with Store(path) as store:
        assert store.rows("b") == []
        store.add("c", {"text": "next"})
    with Store(path) as store:
        assert [store.rows(key) for key in "ac"] == [[{"text": "whole"}], [{"text": "next"}]]


def test_a_row_is_on_the_disk_before_the_next_is_asked_for(tmp_path):
    path = tmp_path / "rows.jsonl"
    with Store(path) as store:
        store.add("a", {"n": 1})
        assert json.loads(path.read_bytes()) == {"key": "a", "n": 1}


def test_half_a_character_in_a_reply_survives(tmp_path):
    with Store(tmp_path / "rows.jsonl") as store:
        store.add("a", {"text": "\ud800 \u2028"})
    with Store(tmp_path / "rows.jsonl") as store:
        assert store.rows("a") == [{"text": "\ud800 \u2028"}]


@pytest.mark.parametrize("damage", [b"\0\0\0\n", b'{"no": "key"}\n', b"[1]\n", b"7\n"])
def test_a_damaged_line_is_named(tmp_path, damage):
    path = tmp_path / "rows.jsonl"
    with Store(path) as store:
        store.add("a", {"n": 1})
    path.write_bytes(path.read_bytes() + damage)
    with pytest.raises(UserError, match=r"rows\.jsonl, line 2 is damaged"):
        Store(path)
