"""Writes docs/commands.md from the commands themselves: `make docs`.

A test (tests/docs/test_commands_page.py) holds the page against what this would write.
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from palo.cli import app

PAGE = Path(__file__).with_name("commands.md")
_HEAD = """# All commands

Written by `make docs` from what `palo --help` knows; do not edit. Every command takes `--help`.
Exit codes: 0; 2 for what you can mend, with a sentence that says how; 3 where what was made is
not whole (an audit, a bench); 130 after Ctrl-C.
"""


def page(program: typer.Typer = app) -> str:
    """The whole page: a section a command, its options as a table."""
    sections = [
        _section(name, command) for name, command in leaves(typer.main.get_command(program))
    ]
    return "\n".join([_HEAD, *sections])


def leaves(command: Any, path: tuple[str, ...] = ("palo",)) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by name; a group that works alone is one as well."""
    nested = getattr(command, "commands", None)
    if nested is None or command.invoke_without_command:
        yield " ".join(path), command
    for name in sorted(nested or ()):
        yield from leaves(nested[name], (*path, name))


def _section(name: str, command: Any) -> str:
    rows = [_row(each) for each in command.params if not getattr(each, "hidden", False)]
    table = ["| | default | |", "|---|---|---|", *rows] if rows else []
    said = inspect.cleandoc(command.help or "").split("\n\f")[0].strip()
    return "\n".join([f"## {name}", "", said, "", *table, ""])


def _row(each: Any) -> str:
    is_argument = each.param_type_name == "argument"
    names = [each.name.upper()] if is_argument else [*each.opts, *each.secondary_opts]
    if not is_argument and not each.is_flag:
        names[-1] += f" {each.name.upper()}"
    default = "required" if each.required else _default(each.default)
    said = " ".join((each.help or "").split())
    return f"| `{', '.join(names)}` | {default} | {said} |".replace("|  |", "| |")


def _default(value: Any) -> str:
    return "" if value is None or value is False or callable(value) else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} written\n")
