"""The first line of a command, and progress where no terminal is."""

import pytest

from palo import console
from palo.settings import load_profile


def test_the_first_line_names_the_profile_its_data_and_its_models(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    console.announce(load_profile("sample"), "status")
    scales = load_profile("sample").train.scales_dir
    assert capsys.readouterr().out == (
        "palo status · profile sample · data data/sample · source data/sample/world/source.json "
        f"· translator data/sample/models/translator · scales {scales}\n"
    )


def test_the_first_line_names_a_model_of_the_hub(project, capsys):
    profile = load_profile("palo")
    console.announce(profile, "translate")
    assert f"translator {profile.translator.model} " in capsys.readouterr().out


def test_brackets_in_a_path_are_no_markup(project, capsys):
    profile = load_profile("sample").model_copy(update={"data_dir": project / "my[red]data[/]"})
    console.announce(profile, "status")
    assert f"data {project}/my[red]data[/] " in capsys.readouterr().out


def test_brackets_in_a_note_are_no_markup(capsys):
    console.note("[0.25, 0.5] [bold]x[/bold] [/]")
    assert capsys.readouterr().out == "[0.25, 0.5] [bold]x[/bold] [/]\n"


def test_a_long_line_is_not_broken_where_no_terminal_is(capsys):
    console.note("x " * 200)
    assert capsys.readouterr().out == "x " * 200 + "\n"


@pytest.mark.parametrize(("total", "of"), [(100, " of 100"), (None, "")])
def test_without_a_terminal_progress_is_a_plain_line_now_and_then(capsys, monkeypatch, total, of):
    clock = iter([0.0, 3.0, 12.0, 12.0, 15.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("translate ur", total) as tick:
        tick(10)
        tick(5, "2 failed")
        tick()
    assert capsys.readouterr().out == f"translate ur: 15{of} 2 failed\n"


def test_on_a_terminal_progress_is_a_bar(monkeypatch, capsys):
    from rich.console import Console

    terminal = Console(force_terminal=True, width=100)
    monkeypatch.setattr(console, "console", terminal)
    with console.progress("translate ur", 4) as tick:
        tick(3, "1 failed")
    shown = capsys.readouterr().out
    assert "translate ur" in shown and "3/4" in shown and "1 failed" in shown


def test_a_narrow_table_has_names_on_the_left_numbers_on_the_right_and_no_frame(capsys):
    table = console.table("", "turns", "left", narrow=True)
    table.add_row("ur", "1,234", "5")
    table.add_row("fr", "6", "78")
    console.console.print(table)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [lines[0], *lines[2:]] == ["     turns   left", "ur   1,234      5", "fr       6     78"]
    assert console.table("language", "turns", title="All").title == "All"
