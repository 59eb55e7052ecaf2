import pytest

from palo.files import DIGESTS
from train.loop.trainer import WRITING, newest_complete, seal


def write(folder, step, keep_last=2):
    beside = folder / WRITING / f"checkpoint-{step}"
    beside.mkdir(parents=True)
    (beside / "weights").write_text(f"weights {step}", "utf-8")
    (beside / "state").write_text(f"state {step}", "utf-8")
    return seal(beside, folder, keep_last)


def test_the_newest_is_found_by_its_step_and_only_the_last_ones_are_kept(tmp_path):
    for step in (2, 10, 9):
        write(tmp_path, step)
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-10"
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == [
        "checkpoint-10",
        "checkpoint-9",
    ]


def test_one_that_is_still_being_written_is_not_looked_at(tmp_path):
    write(tmp_path, 2)
    (tmp_path / WRITING / "checkpoint-4").mkdir(parents=True)
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-2"


@pytest.mark.parametrize("name", ["weights", "state", DIGESTS])
@pytest.mark.parametrize("harm", ["removed", "changed", "cut"])
def test_a_harmed_one_is_passed_over_for_the_one_before(tmp_path, capsys, name, harm):
    write(tmp_path, 2)
    path = write(tmp_path, 4) / name
    if harm == "removed":
        path.unlink()
    elif harm == "changed":
        path.write_bytes(b"\x00" + path.read_bytes()[1:])
    else:
        path.write_bytes(path.read_bytes()[:-2])
    assert newest_complete(tmp_path) == tmp_path / "checkpoint-2"
    assert "checkpoint-4 cannot be used" in capsys.readouterr().out


def test_without_any_there_is_none(tmp_path):
    assert newest_complete(tmp_path) is None
