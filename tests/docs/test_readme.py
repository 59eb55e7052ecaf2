"""README.md's tree names every folder of the code, and none that is not there."""

import re

import pytest

from tests.docs.page_commands import PAGES, REPO_DIR, section

PACKAGES = ("palo", "translate", "refine", "train", "data_cards", "sceneworld", "benchmarks")
TREE = re.search(r"```\n(palo/ .*?)```", section("README.md", "Folders"), re.DOTALL)[1]


def told():
    """The folders of the tree, by their paths; one that stands below another is indented."""
    folders, top = [], ""
    for indent, name in re.findall(r"^( *)([a-z_]+)/ ", TREE, re.MULTILINE):
        top = top if indent else name
        folders.append(f"{top}/{name}" if indent else name)
    return folders


def test_every_folder_of_the_code_has_a_line():
    files = [path for name in PACKAGES for path in (REPO_DIR / name).glob("*/*.*")]
    there = {path.parent.relative_to(REPO_DIR).as_posix() for path in files}
    there -= {f"{name}/__pycache__" for name in PACKAGES}
    assert {*PACKAGES, *there} - {*told()} == set()


@pytest.mark.parametrize("folder", told())
def test_a_folder_of_the_tree_is_there(folder):
    assert (REPO_DIR / folder).is_dir()


def test_the_number_of_pages_is_that_of_the_tree():
    assert len(PAGES) - 1 == 13 and "thirteen pages" in TREE
