"""Every command on talking of docs/models.md is taken as it stands; the pictures are small."""

import re
import shlex

import pytest
import typer

from palo import cli
from tests.docs.page_commands import section
from tests.train.conftest import ROOT

PAGE = section("docs/models.md", "Talking to a trained model")
LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.split("\n")
    if line
]


@pytest.mark.parametrize("line", LINES)
def test_a_command_of_the_page_parses(line):
    """What each does is tested in test_terminal, test_server and test_page."""
    words = shlex.split(line.partition(" < ")[0])
    assert words[0] == "palo"
    group = typer.main.get_command(cli.app)
    command = group.commands[words[1]]
    context = command.make_context(words[1], words[2:], resilient_parsing=False)
    assert context.params["scale"] == "7b"


def test_options_that_the_page_names_are_there():
    group = typer.main.get_command(cli.app)
    known = {
        option
        for name in ("chat", "serve", "demo-ui")
        for each in group.commands[name].params
        for option in each.opts
    }
    assert {*re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)} <= known


@pytest.mark.parametrize("name", re.findall(r"\(images/(.*?)\)", PAGE))
def test_a_picture_is_there_and_small(name):
    assert (ROOT / "docs/images" / name).stat().st_size < 200_000
