"""docs/commands.md says what the commands' own help says."""

import difflib

import typer
import typer.cli
from typer.testing import CliRunner

from palo.cli import app
from tests.docs.page_commands import REPO_DIR

THERE = (REPO_DIR / "docs/commands.md").read_text("utf-8")


def leaves(command, path=("palo",)):
    """Every command by name; a group that works alone is one as well."""
    nested = getattr(command, "commands", None)
    if nested is None or command.invoke_without_command:
        yield " ".join(path), command
    for name, below in (nested or {}).items():
        yield from leaves(below, (*path, name))


def test_the_page_is_what_make_docs_would_write():
    words = ["palo.cli", "utils", "docs", "--name", "palo"]
    wanted = CliRunner().invoke(typer.cli.app, words, catch_exceptions=False).stdout
    lines = THERE.rstrip().split("\n"), wanted.rstrip().split("\n")
    difference = "\n".join(difflib.unified_diff(*lines, lineterm=""))
    assert not difference, f"docs/commands.md is out of date. Run: make docs\n{difference}"


def test_every_command_has_a_section_and_every_option_a_line():
    commands = dict(leaves(typer.main.get_command(app)))
    assert len(commands) > 20
    for name, command in commands.items():
        _, heading, after = THERE.partition(f"# `{name}`\n")
        assert heading, name
        section = after.partition("\n## ")[0]
        for each in command.params:
            if not getattr(each, "hidden", False) and each.param_type_name == "option":
                assert f"* `{', '.join(each.opts)}" in section.replace(" / ", ", "), (name, each)
