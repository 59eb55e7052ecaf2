"""docs/commands.md says what the commands' own help says."""

import difflib
import importlib.util

import typer

from tests.docs.page_commands import REPO_DIR


def writer():
    spec = importlib.util.spec_from_file_location(
        "write_commands", REPO_DIR / "docs/write_commands.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_make_docs_would_write():
    there, wanted = (REPO_DIR / "docs/commands.md").read_text("utf-8"), writer().page()
    difference = "\n".join(difflib.unified_diff(there.split("\n"), wanted.split("\n"), lineterm=""))
    assert not difference, f"docs/commands.md is out of date. Run: make docs\n{difference}"


def test_a_group_an_argument_a_flag_and_a_default_are_told():
    app, group = typer.Typer(), typer.Typer()
    app.add_typer(group, name="sample")

    @app.command("one")
    def one(name: str, loud: bool = typer.Option(False, "--loud", help="Shout.")):
        """Say a name."""

    @group.command("two")
    def two(times: int = typer.Option(3, help="How often.")):
        """Say it again."""

    page = writer().page(app)
    assert (
        "## palo one\n\nSay a name.\n\n| | default | |\n|---|---|---|\n| `NAME` | required | |"
        in page
    )
    assert "| `--loud` | | Shout. |" in page
    assert "## palo sample two\n\nSay it again.\n" in page
    assert "| `--times TIMES` | `3` | How often. |" in page
