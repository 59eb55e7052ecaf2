"""The terminal's table: every figure, in 80 columns."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from palo.report import COLUMNS, table, texts


def shown(figures):
    output = io.StringIO()
    Console(file=output, width=80).print(table(figures))
    return output.getvalue()


def line(text, name):
    found = next(line for line in text.splitlines() if line.startswith(name))
    return re.split(r"\s{2,}|(?<=[\d%-]) ", found.strip())


def test_a_language_shows_all_its_figures(full_figures):
    assert dict(zip(COLUMNS, texts(full_figures)["ur Urdu"], strict=True)) == {
        "trans-\nlated": "400",
        "kept": "380",
        "flagged": "20",
        "chrF": "96.2",
        "wrong\nturns": "5.0%",
        "caught": "80.0%",
        "answers\nright": "92.5%",
        "images\nmixed": "20.0%",
        "reaso-\nning": "50.0%",
        "in its\nlanguage": "99.5%",
    }


def test_what_has_not_been_run_is_a_dash(empty_figures):
    rows = texts(empty_figures)
    assert rows["en English"] == rows["ur Urdu"] == rows["mean"] == ["-"] * 10


def test_no_wrong_turns_leave_nothing_to_catch(full_figures):
    perfect = full_figures.languages.loc[["ur"]].assign(wrong=0.0, caught=0.0)
    figures = replace(full_figures, languages=perfect)
    assert texts(figures)["ur Urdu"][4:6] == texts(figures)["mean"][4:6] == ["0.0%", "-"]


def test_means_weigh_turns_and_languages(full_figures):
    languages = full_figures.languages.copy()
    languages.loc["ur", ["turns", "wrong", "caught", "chrf"]] = 1000, 10, 1, 69.25
    shown_means = texts(replace(full_figures, languages=languages))["mean"]
    # 8 x 10 + 10 wrong of 8 x 200 + 1000 turns, 8 x 8 + 1 of them caught; chrF of nine
    assert shown_means[3:6] == ["93.2", "3.5%", "72.2%"]
    assert shown_means[:3] == ["400", "380", "20"]


def test_the_table_has_a_line_a_language_and_the_mean(full_figures):
    text = shown(full_figures)
    figures = ["400", "380", "20", "96.2", "5.0%", "80.0%", "92.5%", "20.0%", "50.0%", "99.5%"]
    assert line(text, "ur") == ["ur Urdu", *figures]
    assert line(text, "ja") == ["ja Japanese", *figures]
    assert line(text, "en") == ["en English", *"------", *figures[-4:]]
    assert line(text, "mean") == ["mean", *figures]
    assert len(text.splitlines()) == 1 + 2 + 1 + 11  # title, two-line heading, rule, rows
    assert "Palo, profile sample, model 7b" in text


@pytest.mark.parametrize("heading", COLUMNS)
def test_no_heading_is_cut(full_figures, heading):
    for word in heading.split("\n"):
        assert word in shown(full_figures)
