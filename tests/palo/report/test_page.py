"""The report is one file that shows everything without a network."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from palo.pages import thumbnail
from palo.report import collect, render, write_page


class Page(HTMLParser):
    """Every tag with its attributes; void elements and nesting as a browser counts them."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(full_figures, pictures_dir):
    return render(full_figures, pictures_dir, pictures_dir)


def test_nothing_is_loaded_from_outside(page):
    links = [
        value
        for _, attributes in Page(page).tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset", "data", "action")
    ]
    assert links and all(link.startswith(("#", "data:image/jpeg;base64,")) for link in links)
    assert not Page(page).all("script") and not Page(page).all("link")
    assert not re.search(r"@import|url\((?!#)", page)


def test_pictures_are_data_urls_of_readable_jpegs(page):
    pictures = [attributes["src"] for attributes in Page(page).all("img")]
    assert len(pictures) == 2  # an example row and an answer; the others have none
    for picture in pictures:
        data = base64.b64decode(picture.removeprefix("data:image/jpeg;base64,"))
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (128, 100)


def test_right_to_left_languages_run_from_right_to_left_and_others_do_not(page):
    cells = [attributes for attributes in Page(page).all("td") if "lang" in attributes]
    rtl = {(cell["lang"], cell.get("dir", "ltr")) for cell in cells}
    assert rtl == {("ur", "rtl"), ("ar", "rtl"), ("fr", "ltr")}


def test_texts_are_shown_not_obeyed(page):
    assert "&lt;script&gt;x()&lt;/script&gt;" in page
    assert "جی ہاں۔" in page


def test_the_page_has_the_tables_figures(page):
    row = "".join(f"<td>{value}</td>" for value in ("ur Urdu", "400", "380", "20", "96.2", "5.0%"))
    assert row in page
    assert "nrefs:1|case:mixed" in page
    assert '<tr class="mean"><td>mean</td><td>400</td>' in page


def test_reasons_are_counted_per_language_the_most_frequent_first(page):
    rows = re.findall(r"<tr><td>(length|script)</td>((?:<td>\d+</td>)+)", page)
    assert rows == [("length", "<td>5</td>" * 9), ("script", "<td>3</td>" * 9)]


def test_verdicts_and_wrong_answers_are_marked(page):
    classes = [attributes.get("class") for attributes in Page(page).all("td")]
    assert "verdict-pass" in classes and "verdict-reject" in classes
    assert classes.count("wrong") == 1
    assert "reject: script; tag" in page


def test_every_tag_that_opens_closes(page):
    for tag in ("table", "tr", "td", "th", "svg", "h2", "span", "small"):
        assert len(re.findall(rf"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


def test_a_run_of_nothing_gives_a_page_too(empty_figures, tmp_path):
    page = render(empty_figures, None, tmp_path)
    assert "no truth known" in page and "<h2>" not in page


def test_the_page_of_a_real_folder_is_written_below_its_data(run_data):
    figures = collect(run_data, {})
    path = write_page(figures, run_data)
    assert path == run_data.paths.report
    page = path.read_text(encoding="utf-8")
    assert 'lang="ur" dir="rtl">دو ستارے۔<' in page
    assert '<span class="previous">&lt;image&gt;\nHow many stars are there?</span>\n1.</td>' in page
    assert "&lt;b&gt;two&lt;/b&gt;" in page
    assert "review: no Arabic letters; looks like en</td>" in page
    assert len(Page(page).all("img")) == 1  # the other example's picture cannot be read
    first = path.read_bytes()
    assert write_page(figures, run_data).read_bytes() == first
    assert [each.name for each in path.parent.glob("*report*")] == ["report.html"]


def test_a_picture_that_cannot_be_read_is_left_out(run_data, tmp_path):
    folder = run_data.source.images_dir / "source"
    assert thumbnail(folder / "red.jpg").startswith("data:image/jpeg;base64,")
    assert thumbnail(folder / "broken.jpg") == ""
    assert thumbnail(folder / "missing.jpg") == ""
    assert thumbnail(folder) == ""


def test_a_cut_off_picture_is_left_out(tmp_path):
    Image.effect_noise((300, 300), 50).save(tmp_path / "x.jpg")
    data = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(data[: len(data) // 2])
    assert thumbnail(tmp_path / "x.jpg") == ""


def test_only_the_first_thirty_answers_are_shown(full_figures, pictures_dir):
    answer = full_figures.evaluation["examples"][0]
    many = replace(full_figures, evaluation={"examples": [answer] * 40})
    assert render(many, None, pictures_dir).count("ما هذا؟") == 30
