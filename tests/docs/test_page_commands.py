"""Every command line of every page is one that the programs take, and is run by a test.

New pages and new lines are picked up by themselves. What is no command of ours stands in OTHERS.
"""

import re

import pytest
import typer

from palo import cli
from palo.cli import guarded
from tests.docs.page_commands import COMMANDS, PAGES, REPO_DIR

# Programs that pages name and who runs what stands there.
OTHERS = {
    "cd": "the reader",
    "git": "the reader",
    "hf": "the reader: downloads",
    "mkdir": "the reader",
    "pip": "Makefile's `setup`, through requirements/install",
    "ray": "an administrator, on every node; tests/palo/engines/test_ray.py starts such nodes",
    "sbatch": "an administrator",
    "srun": "an administrator",
    "python": "tests/train/serving: vLLM's server; benchmarks/*.py: tests/benchmarks",
    "torchrun": "tests/train/loop, on CPUs; what it gives `palo` is parsed here",
}
# Starts the whole pipeline: tests/test_sample_pipeline.py runs it.
WHOLE_PIPELINE = {"demo"}
OURS = [one for one in COMMANDS if one.palo is not None]
RUN_HERE = dict.fromkeys(one.palo for one in OURS if not {*one.palo[:1]} & WHOLE_PIPELINE)
LINKS = [
    (page, target)
    for page, text in PAGES.items()
    for target in dict.fromkeys(re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text))
]
SOURCES = [REPO_DIR / "Makefile", REPO_DIR / "pipelines.yaml"] + [
    path
    for folder in REPO_DIR.iterdir()
    if (folder.is_dir() and folder.name[0] != "." and folder.name != "data")
    for path in folder.rglob("*.*")
    if path.suffix in (".py", ".yaml")
]
NAMED = [
    (path.relative_to(REPO_DIR).as_posix(), page)
    for path in SOURCES
    for page in sorted(set(re.findall(r"\bdocs/[\w./-]+\.md\b", path.read_text("utf-8"))))
]
TARGETS = set(re.findall(r"^([a-z-]+):", (REPO_DIR / "Makefile").read_text("utf-8"), re.MULTILINE))


def parsed(words):
    """Parses the words as `palo` would, and runs nothing. Raises what click raises."""
    command, rest, parent = typer.main.get_command(cli.app), list(words), None
    while True:
        nested = getattr(command, "commands", {})
        if not rest or rest[0] not in nested:
            break
        command = nested[rest.pop(0)]
    with command.make_context(words[0] if words else "palo", rest, parent=parent):
        return command


def test_there_are_commands_to_look_at():
    assert len(OURS) > 10
    assert {one.page for one in COMMANDS} >= {"README.md", "docs/models.md"}


def test_an_option_that_is_none_is_found():
    with pytest.raises(Exception, match="--scal"):
        parsed(["train", "--scal", "7b"])
    with pytest.raises(Exception, match="lang"):
        parsed(["translate"])


@pytest.mark.parametrize("one", OURS, ids=str)
def test_a_command_of_a_page_is_one_that_palo_takes(one):
    command = parsed(one.palo)
    assert not getattr(command, "commands", None) or command.invoke_without_command, one


@pytest.mark.parametrize("one", [one for one in COMMANDS if one.palo is None], ids=str)
def test_any_other_command_is_a_make_target_or_known_to_be_someone_elses(one):
    if one.words[0] == "make":
        named = {word for word in one.words[1:] if "=" not in word}
        assert named and named <= TARGETS, one
    else:
        assert one.words[0] in OTHERS, f"{one}: say in OTHERS who runs it"


@pytest.mark.parametrize("one", RUN_HERE, ids=" ".join)
def test_a_command_of_a_page_ends_well_or_with_a_sentence(one, project, monkeypatch, capsys):
    """In a new project, where nothing has been made yet: what lacks is said, exit code 2."""
    monkeypatch.chdir(project)
    code = guarded(lambda: cli.app(args=list(one)))
    said = capsys.readouterr()
    assert code in (0, 2), said
    assert "Traceback" not in said.err and "Usage:" not in said.err
    if code:
        assert re.search(r"[A-Za-z]", said.err)


def test_pages_are_linked_from_the_readme_or_the_first_page():
    linked = "".join(
        (REPO_DIR / name).read_text("utf-8") for name in ("README.md", "docs/getting-started.md")
    )
    pages = {path.name for path in (REPO_DIR / "docs").glob("*.md")}
    assert pages >= {"commands.md", "decisions.md"}
    assert {name for name in pages if name not in linked} == set()


def test_there_are_links_to_follow():
    assert len(LINKS) > 30
    assert {page for page, _ in LINKS} >= {"README.md", "docs/getting-started.md"}


@pytest.mark.parametrize("page, target", LINKS)
def test_a_link_between_pages_leads_somewhere(page, target):
    assert (REPO_DIR / page).parent.joinpath(target).exists()


@pytest.mark.parametrize("source, page", NAMED)
def test_a_page_that_the_code_names_exists(source, page):
    assert (REPO_DIR / page).is_file()


def test_pages_are_looked_for_in_all_code():
    assert {source for source, _ in NAMED} >= {
        *("Makefile", "palo/languages.py", "train/planning/plan.py"),
        *("benchmarks/rehearsal.py", "tests/test_german.py"),
    }
