"""docs/commands.md says what the commands' own help says."""

import difflib
import re
import shlex

import pytest
import typer
import typer.cli
from typer.testing import CliRunner

from palo.cli import app
from tests.docs.page_commands import COMMANDS, PAGES, REPO_DIR, USAGE

THERE = PAGES["docs/commands.md"]
MAKEFILE = (REPO_DIR / "Makefile").read_text("utf-8")
WRITER = re.search(r"^\t@\.venv/bin/typer (.*) --output docs/commands\.md$", MAKEFILE, re.MULTILINE)


def leaves(command, path=("palo",)):
    """Every command by name; a group that works alone is one as well."""
    nested = getattr(command, "commands", None)
    if nested is None or command.invoke_without_command:
        yield " ".join(path), command
    for name, below in (nested or {}).items():
        yield from leaves(below, (*path, name))


LEAVES = dict(leaves(typer.main.get_command(app)))


def test_the_page_is_what_make_docs_would_write():
    ran = CliRunner().invoke(typer.cli.app, shlex.split(WRITER[1]), catch_exceptions=False)
    assert ran.exit_code == 0
    lines = THERE.rstrip().split("\n"), ran.stdout.rstrip().split("\n")
    difference = "\n".join(difflib.unified_diff(*lines, lineterm=""))
    assert not difference, f"docs/commands.md is out of date. Run: make docs\n{difference}"


def test_its_first_line_says_who_writes_it():
    assert THERE.startswith("# `palo`, as `make docs` writes it\n")


def test_summaries_are_whole_sentences():
    summaries = re.findall(r"^\* `[a-z-]+`: (.+)$", THERE, re.MULTILINE)
    assert len(summaries) > len(LEAVES)  # those of the groups too
    assert [text for text in summaries if not text.endswith(".") or text.endswith("...")] == []


def test_there_are_commands_to_look_at():
    assert LEAVES.keys() >= {"palo translate", "palo refine", "palo memory show", "palo demo"}


def test_its_usages_are_those_of_commands_and_all_that_it_shows_to_type():
    names = USAGE.findall(THERE)
    assert {*names} >= LEAVES.keys() and len({*names}) == len(names)
    assert [command for command in COMMANDS if command.page == "docs/commands.md"] == []


@pytest.mark.parametrize("name", LEAVES)
def test_a_command_has_one_section(name):
    assert THERE.count(f"\n## `{name}`\n") + THERE.count(f"\n### `{name}`\n") == 1


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_has_a_line_in_its_commands_section(name):
    section = THERE.partition(f"# `{name}`\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    params = LEAVES[name].get_params(typer.Context(LEAVES[name]))
    options = [each for each in params if each.param_type_name == "option" and not each.hidden]
    assert options  # --help at least
    for each in options:
        assert f"* `{', '.join(each.opts)}" in section.replace(" / ", ", "), each
