"""Where the data of a run lies."""

from pathlib import Path

import pytest

from palo.paths import DataPaths, leads_out, source_root

PATHS = DataPaths(Path("/d"))


def test_the_layout_is_the_house_plans():
    laid_out = [
        PATHS.source_dir,
        PATHS.memory("ur"),
        PATHS.verified("ur"),
        PATHS.translated("ur"),
        PATHS.refined("ur"),
        PATHS.review("ur"),
        PATHS.checkpoint("7b"),
        PATHS.evaluation("7b"),
        PATHS.report,
    ]
    assert [path.relative_to("/d").as_posix() for path in laid_out] == [
        "source",
        "memory/ur.sqlite",
        "memory/ur.verified.sqlite",
        "translated/ur",
        "refined/ur",
        "review/ur",
        "checkpoints/7b",
        "evaluation/7b.json",
        "report.html",
    ]


def test_memories_may_lie_elsewhere():
    paths = DataPaths(Path("/d"), Path("/local"))
    assert paths.memory("ur") == Path("/local/ur.sqlite")
    assert paths.verified("ur") == Path("/local/ur.verified.sqlite")
    assert paths.refined("ur") == Path("/d/refined/ur")


def test_making_paths_touches_no_disk(tmp_path):
    assert DataPaths(tmp_path / "x").memory("ur").parent == tmp_path / "x" / "memory"
    assert not (tmp_path / "x").exists()


def test_a_source_file_of_ones_own_gets_a_folder_named_after_it():
    root = source_root(Path("/d"), Path("/a/mine.json"))
    assert root.parent == Path("/d/sources")
    assert root.name.startswith("mine-") and len(root.name) == len("mine-") + 8
    assert root == source_root(Path("/d"), Path("/a/mine.json"))


def test_two_files_of_one_name_do_not_share_a_folder():
    assert source_root(Path("/d"), Path("/a/x.json")) != source_root(Path("/d"), Path("/b/x.json"))


def test_a_relative_path_means_the_same_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    absolute = source_root(Path("/d"), tmp_path / "x.json")
    assert source_root(Path("/d"), Path("x.json")) == absolute


def test_a_name_that_is_no_utf8_still_gets_a_folder():
    assert source_root(Path("/d"), Path("/a/\udcff.json")).parent == Path("/d/sources")


@pytest.mark.parametrize("name", ["a.jpg", "coco/train2017/a.jpg", "./a", "a..b/c", "..a", "a b"])
def test_a_name_that_stays_in_its_folder(name):
    assert not leads_out(name)


@pytest.mark.parametrize("name", ["/a", "\\a", "../a", "a/../b", "a\\..\\b", "C:a", "a\0b", ".."])
def test_a_name_that_leads_out_of_its_folder(name):
    assert leads_out(name)
