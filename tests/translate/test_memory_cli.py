"""`palo memory` as a person runs it: what is there, out to a CAT tool, and back."""

import pytest
from lxml import etree

from palo.errors import UserError
from palo.memory import TranslationMemory, VerifiedMemory
from palo.shards import read_translated, shard_paths

URDU = "ستارہ"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@pytest.fixture
def translated(project, palo):
    """A project whose 40 samples are in Urdu: 49 segments, of which 40 hold a URL."""
    palo("translate", "--lang", "ur", "--engine", "scripted")
    return project


@pytest.fixture
def exported(translated, palo, tmp_path):
    path = tmp_path / "ur.tmx"
    palo("memory", "export", str(path), "--lang", "ur")
    return path


def edit(path, source, change, changed_by="amna"):
    """Changes the translation of one English text, as a CAT tool does."""
    document = etree.parse(str(path))
    done = 0
    for unit in document.iter("tu"):
        english, target = (tuv.find("seg") for tuv in unit.iterfind("tuv"))
        if english.text == source:
            target.text = change(target.text)
            target.getparent().set("changeid", changed_by)
            done += 1
    document.write(str(path), encoding="utf-8")
    return done


def targets(project, english):
    """The Urdu turns of an English one, in order."""
    rows = [row for path in shard_paths(project.translated("ur")) for row in read_translated(path)]
    return [
        target.text
        for row in rows
        for turn, target in zip(row.source, row.target, strict=True)
        if turn.text == english
    ]


def test_stats_count_what_the_memories_hold(translated, palo):
    lines = palo("memory", "stats", "--lang", "ur,fr").splitlines()
    row = next(line for line in lines if "ur" in line.split())
    assert [cell for cell in row.split() if cell not in "│┃"][:5] == ["ur", "49", "0", "0", "1"]
    assert any("fr" in line.split() and line.count("-") >= 5 for line in lines)


def test_show_tells_every_translation_and_its_provenance(translated, palo):
    shown = palo("memory", "show", "Two.", "--lang", "all")
    assert "ur  " in shown
    assert "after: How many?" in shown
    assert "engine: scripted" in shown
    assert "status: translated" in shown
    assert "attempts 1" in shown


def test_show_says_when_nothing_is_known(translated, palo):
    with pytest.raises(UserError, match=r"No memory .* holds the text 'Three\.'"):
        palo("memory", "show", "Three.")


def test_an_export_taken_in_unchanged_verifies_nothing(translated, exported, palo):
    said = palo("memory", "import", str(exported), "--lang", "ur", "--reviewer", "me")
    assert "49 units = 0 verified + 49 left as the machine wrote them + 0" in said
    with VerifiedMemory(translated.verified("ur")) as words:
        assert words.count() == 0


def test_a_changed_unit_is_verified_for_every_turn_with_its_text_and_context(
    translated, exported, palo
):
    assert edit(exported, "Two.", lambda text: URDU) == 1
    said = palo("memory", "import", str(exported), "--lang", "ur", "--reviewer", "me")
    assert "49 units = 1 verified + 48 left" in said
    assert "40 turns verified" in said
    with VerifiedMemory(translated.verified("ur")) as words:
        assert {word.reviewer for word in words.entries()} == {"amna"}
        assert {word.batch for word in words.entries()} == {"ur.tmx"}
    palo("translate", "--lang", "ur", "--engine", "scripted")
    assert targets(translated, "Two.") == [URDU] * 40


def test_protected_spans_and_image_tags_come_back_in_their_turn(translated, exported, palo):
    answer = "Part 3 shows star 3, see <x1>."
    assert edit(exported, answer, lambda text: f"{URDU} <x1>۔", changed_by="palo") == 1
    question = "What is in part 3 of the picture?"
    assert edit(exported, question, lambda text: f"{URDU}؟") == 1
    palo("memory", "import", str(exported), "--lang", "ur", "--reviewer", "me")
    palo("translate", "--lang", "ur", "--engine", "scripted")
    english = "Part 3 shows star 3, see https://example.org/3."
    assert targets(translated, english) == [f"{URDU} https://example.org/3۔"]
    assert set(targets(translated, f"<image>\n{question}")) == {f"<image>\n{URDU}؟"}
    with VerifiedMemory(translated.verified("ur")) as words:
        assert {word.reviewer for word in words.of_source(english)} == {"me"}
        assert len(words.of_source(question)) == 6


def test_a_unit_that_loses_a_placeholder_is_told_and_not_taken(translated, exported, palo):
    edit(exported, "Part 3 shows star 3, see <x1>.", lambda text: URDU)
    said = palo("memory", "import", str(exported), "--lang", "ur", "--reviewer", "me")
    assert "0 verified + 48 left" in said
    assert "1 that lose protected spans" in said


def test_what_people_verified_goes_out_and_comes_back_changed(translated, exported, palo):
    edit(exported, "Two.", lambda text: URDU)
    palo("memory", "import", str(exported), "--lang", "ur", "--reviewer", "me")
    again = exported.with_name("again.tmx")
    said = palo("memory", "export", str(again), "--lang", "ur")
    assert f"{40 + 49} units" in said
    document = etree.parse(str(again))
    unit = next(
        one for one in document.iter("tu") if one.find("prop[@type='x-sample']") is not None
    )
    unit.findall("tuv")[1].find("seg").text = URDU * 2
    document.write(str(again), encoding="utf-8")
    said = palo("memory", "import", str(again), "--lang", "ur", "--reviewer", "me")
    assert "1 verified" in said
    assert "1 turns verified" in said
    palo("translate", "--lang", "ur", "--engine", "scripted")
    assert sorted(targets(translated, "Two.")) == sorted([URDU * 2] + [URDU] * 39)


OTHER = """<tmx version="1.4"><header/><body>
<tu><tuv xml:lang="en"><seg>How many?</seg></tuv><tuv xml:lang="ur"><seg>کتنے؟</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>Two.</seg></tuv><tuv xml:lang="ur"><seg>دو۔</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>Nobody says this.</seg></tuv><tuv xml:lang="ur"><seg>x</seg></tuv></tu>
</body></tmx>"""


def test_another_tools_units_fit_by_text_alone(translated, palo, tmp_path):
    path = tmp_path / "other.tmx"
    path.write_text(OTHER, encoding="utf-8")
    said = palo("memory", "import", str(path), "--lang", "ur", "--reviewer", "agency")
    assert "3 units = 2 verified + 0 left" in said
    assert "1 that no turn of the source has" in said
    palo("translate", "--lang", "ur", "--engine", "scripted")
    assert set(targets(translated, "How many?\n<image>")) == {"کتنے؟\n<image>"}
    assert set(targets(translated, "Two.")) == {"دو۔"}


def test_a_file_that_breaks_off_changes_nothing(translated, exported, palo):
    edit(exported, "Two.", lambda text: URDU)
    exported.write_bytes(exported.read_bytes()[:-100])
    with pytest.raises(UserError, match="not a whole TMX file"):
        palo("memory", "import", str(exported), "--lang", "ur", "--reviewer", "me")
    with VerifiedMemory(translated.verified("ur")) as words:
        assert words.count() == 0


def test_mistakes_are_named(project, palo, tmp_path):
    with pytest.raises(UserError, match="There is no memory of 'ur'"):
        palo("memory", "export", str(tmp_path / "x.tmx"), "--lang", "ur")
    with pytest.raises(UserError, match="One language at a time, not 'ur,fr'"):
        palo("memory", "export", str(tmp_path / "x.tmx"), "--lang", "ur,fr")
    with pytest.raises(UserError, match="has no source yet"):
        palo("memory", "import", str(tmp_path / "x.tmx"), "--lang", "ur", "--reviewer", "me")


def test_a_damaged_memory_is_salvaged_into_a_file_of_its_own(translated, palo):
    path = translated.memory("ur")
    whole = path.stat().st_size
    data = bytearray(path.read_bytes())
    damaged_page = 4096 * (whole // 4096 - 2)
    data[damaged_page : damaged_page + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    said = palo("memory", "salvage", "--lang", "ur")
    assert "move the damaged files away" in said
    assert path.read_bytes() == data
    with TranslationMemory(path.with_name("ur.salvaged.sqlite")) as saved:
        assert 20 <= saved.count() < 49
        assert all(entry.text for entry in saved.entries())
    with pytest.raises(UserError, match="is there already"):
        palo("memory", "salvage", "--lang", "ur")
