"""A folder is written whole or not at all."""

import pytest

from data_cards.export import MARK, whole_folder
from palo.errors import UserError
from palo.files import read_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_finished_folder_takes_the_place_of_the_one_before(tmp_path):
    for text in ("one", "two"):
        with whole_folder(tmp_path / "x", {"a": text}) as fresh:
            (fresh / text).write_text(text)
    assert names(tmp_path / "x") == [MARK, "two"]
    assert read_json(tmp_path / "x" / MARK) == {"a": "two"}
    assert names(tmp_path) == ["x"]


def test_a_failure_leaves_what_was_there(tmp_path):
    with whole_folder(tmp_path / "x", {}) as fresh:
        (fresh / "one").touch()
    with pytest.raises(KeyError), whole_folder(tmp_path / "x", {}) as fresh:
        (fresh / "two").touch()
        raise KeyError
    assert names(tmp_path / "x") == [MARK, "one"] and names(tmp_path) == ["x"]


def test_an_empty_folder_may_be_filled_and_a_file_may_not_be_replaced(tmp_path):
    (tmp_path / "x").mkdir()
    with whole_folder(tmp_path / "x", {}):
        pass
    (tmp_path / "y").touch()
    with pytest.raises(UserError, match="palo did not write it"), whole_folder(tmp_path / "y", {}):
        pass
