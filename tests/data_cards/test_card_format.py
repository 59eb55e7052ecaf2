"""No text breaks a table: a Markdown parser sees as many cells as were given, and their words."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from data_cards.card_format import bars, cell, code, interval, number, quantile, share, table

MARKUP = st.text(alphabet="ab |`\\<>[]()*_#~-=!:/&;$\n\r\t\u2028\u202e\u200cک漢", max_size=30)
PARSER = MarkdownIt("commonmark").enable("table")


def cells_of(text):
    """Rows of cells as a browser would show them, `<br>` as a line break."""
    page = PARSER.render(text)
    assert (
        re.sub(r"</?(table|thead|tbody|tr|th|td|br)( style=\"[\w:-]+\")?>", "", page).count("<")
        == 0
    )
    return [
        [
            html.unescape(one.replace("<br>", "\n"))
            for one in re.findall(r"<td[^>]*>(.*?)</td>", row)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", page.replace("\n", ""))
    ][1:]


@given(st.lists(st.tuples(MARKUP, MARKUP), min_size=1, max_size=3))
def test_a_table_of_any_texts_has_its_rows_its_columns_and_no_markup(rows):
    shown = cells_of(table(("a", "b"), [tuple(map(cell, row)) for row in rows]))
    assert [len(row) for row in shown] == [2] * len(rows)


@pytest.mark.parametrize(
    "text",
    [
        "a | b || c",
        "`code` ``` more",
        "<script>alert(1)</script> <image> &amp;",
        "**b** _i_ [x](http://x.y) ![p](p.png) www https://x.y",
        "$x^2$ \\(y\\) # - > 1.",
        "=cmd|' /C calc'!A0, \"quoted\";'x'",
        "نیم\u200cفاصلہ दिल्ली\u200d 漢字",
        "--- | ---",
    ],
)
def test_words_are_shown_as_they_are(text):
    assert cells_of(table(("a",), [(cell(text),)])) == [[text]]


def test_line_breaks_of_every_kind_become_one_mark_and_controls_are_told():
    assert cell("a\r\nb\rc\u2028d\u0085e") == "a<br>b<br>c<br>d<br>e"
    assert cell("\u202eabc\u0007") == "&#92;u202eabc\\u0007"
    assert cell("x" * 20, max_chars=10) == "x" * 9 + "…"


def test_numbers_are_written_for_readers_and_what_is_unknown_is_said():
    assert (number(1234567), number(None)) == ("1,234,567", "not measured")
    assert (share(0.0514), share(None), interval(0.01, 0.1254)) == (
        "5.1%",
        "not measured",
        "1.0–12.5%",
    )
    assert (code("length_ratio"), code("a`b")) == ("`length_ratio`", "a&#96;b")


def test_quantiles_of_a_histogram_are_edges_of_its_steps():
    steps = {"0.90": 1, "0.95": 2, "1.00": 1}
    assert [quantile(steps, part) for part in (0.05, 0.25, 0.5, 0.95)] == [
        "0.90",
        "0.90",
        "0.95",
        "1.00",
    ]
    assert quantile({}, 0.5) is None


def test_bars_show_every_count_but_none_for_nothing():
    assert bars([("a", 400), ("bb", 1), ("c", 0)]).split("\n") == [
        f" a {'█' * 40} 400",
        "bb █ 1",
        " c  0",
    ]
    assert bars([]) == ""
