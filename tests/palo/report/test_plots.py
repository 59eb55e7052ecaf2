"""Plots are SVG text that needs nothing from outside, the same for the same figures."""

import re
from xml.etree import ElementTree

import pytest

from palo.report import plots

TITLES = [
    "Translator: chrF++ on held-out pairs, before and after the fine-tune",
    "Conversations kept and flagged",
    "Answers on held-out pictures",
    "Where the time went",
]


@pytest.fixture(scope="module")
def drawn(full_figures):
    return plots(full_figures)


def test_there_is_a_plot_of_everything_that_ran(drawn):
    assert list(drawn) == TITLES
    for svg in drawn.values():
        assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"


def test_what_has_not_run_has_no_plot(empty_figures):
    assert plots(empty_figures) == {}


def test_equal_figures_give_equal_plots(full_figures, drawn):
    assert plots(full_figures) == drawn


def test_references_stay_inside_the_plot(drawn):
    for svg in drawn.values():
        targets = re.findall(r'href="([^"]*)"|url\(([^)]*)\)', svg)
        assert targets and all("".join(target).startswith("#") for target in targets)


def test_steps_left_out_take_no_time(drawn):
    svg = drawn["Where the time went"]
    assert "<!-- one -->" in svg and "left" not in svg
