"""`palo memory` as a person runs it: what is there, out to a CAT tool, and back."""

import pytest
import yaml
from lxml import etree

from palo.errors import Locked, UserError
from palo.files import run_lock
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
    assert "49 units = 0 verified + 49 known already\n" in said
    with VerifiedMemory(translated.verified("ur")) as words:
        assert words.count() == 0


def test_units_of_dialogues_and_glossaries_are_known_again_too(project, palo, tmp_path):
    settings = yaml.safe_load((tmp_path / "pipelines.yaml").read_text(encoding="utf-8"))
    translator = settings["profiles"]["test"]["translator"]
    translator |= {"context": "dialogue", "glossary_dir": "terms"}
    (tmp_path / "pipelines.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (tmp_path / "terms").mkdir()
    (tmp_path / "terms" / "ur.csv").write_text("english,translation\nstar,تارا", encoding="utf-8")
    palo("translate", "--lang", "ur", "--engine", "scripted")
    path = str(tmp_path / "ur.tmx")
    palo("memory", "export", path, "--lang", "ur")
    said = palo("memory", "import", path, "--lang", "ur", "--reviewer", "me")
    assert "127 units = 0 verified + 127 known already\n" in said


def test_a_changed_unit_is_verified_for_every_turn_with_its_text_and_context(
    translated, exported, palo
):
    assert edit(exported, "Two.", lambda text: URDU) == 1
    said = palo("memory", "import", str(exported), "--lang", "ur", "--reviewer", "me")
    assert "49 units = 1 verified + 48 known already\n" in said
    assert "turns verified: 40\n" in said
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
    assert "0 verified + 48 known already + 1 that lose protected spans" in said
    assert "the first that lose protected spans or image tags: Part 3 shows star 3" in said


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
    assert "turns verified: 1\n" in said
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
    assert "3 units = 2 verified + 0 known already + 1 that no turn of the source has\n" in said
    assert "the first that no turn of the source has: Nobody says this." in said
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


def tmx(path, *units, more=""):
    """A file of (English, target) units."""
    body = "".join(
        f'<tu>{more}<tuv xml:lang="en"><seg>{english}</seg></tuv>'
        f'<tuv xml:lang="ur"><seg>{target}</seg></tuv></tu>'
        for english, target in units
    )
    path.write_text(f'<tmx version="1.4"><header/><body>{body}</body></tmx>', encoding="utf-8")
    return str(path)


def verified(project):
    with VerifiedMemory.existing(project.verified("ur")) as words:
        return words.entries()


@pytest.fixture
def take(translated, palo, tmp_path):
    """Imports these units; what the command says."""

    def take(*units, more=""):
        path = tmx(tmp_path / "x.tmx", *units, more=more)
        return palo("memory", "import", path, "--lang", "ur", "--reviewer", "me")

    return take


@pytest.mark.parametrize(
    ("target", "fate"),
    [
        ("", "1 without a translation"),
        (" ۔ ", "1 without a translation"),
        ("<![CDATA[<image>]]> دو", "1 that lose protected spans or image tags"),
        ("Two of them, to be sure.", "1 in letters of another script"),
    ],
)
def test_what_review_would_refuse_verifies_nothing(translated, take, target, fate):
    assert f"1 units = 0 verified + 0 known already + {fate}\n" in take(("Two.", target))
    assert verified(translated) == []


def test_units_that_contradict_each_other_are_not_taken(translated, take):
    said = take(("Two.", "دو۔"), ("Two.", "تین۔"), ("How many?", "کتنے؟"), ("How many?", "کتنے؟"))
    assert "4 units = 2 verified + 0 known already + 2 that the file contradicts elsewhere" in said
    assert {word.text for word in verified(translated)} == {"کتنے؟\n<image>"}


def test_a_unit_whose_turn_has_another_text_by_now_is_not_taken(translated, take):
    known = read_translated(shard_paths(translated.translated("ur"))[0])[0]
    more = f'<prop type="x-sample">{known.sample_id}</prop><prop type="x-turn">3</prop>'
    assert "1 whose turn has another English by now" in take(("Twenty.", URDU), more=more)
    assert verified(translated) == []
    assert "1 units = 1 verified" in take(("Two.", URDU), more=more)
    assert [(word.sample_id, word.turn) for word in verified(translated)] == [(known.sample_id, 3)]


def test_a_file_taken_in_twice_changes_nothing_the_second_time(translated, take):
    assert "1 units = 1 verified" in take(("Two.", "دو۔"))
    before = verified(translated)
    assert "1 units = 0 verified + 1 known already\n" in take(("Two.", "دو۔"))
    assert verified(translated) == before


def test_a_look_makes_no_memory(translated, palo, tmp_path):
    translated.verified("ur").unlink()
    palo("memory", "stats", "--lang", "ur")
    palo("memory", "show", "Two.")
    palo("memory", "export", str(tmp_path / "ur.tmx"), "--lang", "ur")
    assert [path.name for path in translated.memory_dir.glob("*.sqlite*")] == ["ur.sqlite"]


def test_an_import_makes_no_machine_memory(translated, take):
    translated.memory("ur").unlink()
    assert "1 units = 1 verified" in take(("Two.", "دو۔"))
    assert not translated.memory("ur").exists()


def test_paths_that_cannot_be_read_or_written_are_told(translated, palo, tmp_path):
    with pytest.raises(UserError, match=r"Cannot read .*: Is a directory"):
        palo("memory", "import", str(tmp_path), "--lang", "ur", "--reviewer", "me")
    with pytest.raises(UserError, match=r"Cannot write .*: Is a directory"):
        palo("memory", "export", str(tmp_path), "--lang", "ur")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"Cannot write .*file/ur\.tmx: "):
        palo("memory", "export", str(tmp_path / "file" / "ur.tmx"), "--lang", "ur")


def overwritten(data):
    page = 4096 * (len(data) // 4096 - 2)
    return data[:page] + b"\xa5" * 4096 + data[page + 4096 :]


def cut_off(data):
    return data[: len(data) - 2 * 4096]


@pytest.mark.parametrize("damage", [overwritten, cut_off])
def test_a_damaged_memory_is_left_alone_salvaged_and_only_what_was_lost_is_sent(
    translated, palo, damage
):
    path = translated.memory("ur")
    path.write_bytes(damage(path.read_bytes()))
    before = {each: each.read_bytes() for each in translated.root.rglob("*") if each.is_file()}
    with pytest.raises(
        UserError, match=r"ur\.sqlite is damaged .* `palo memory salvage --lang ur`"
    ):
        palo("translate", "--lang", "ur", "--engine", "scripted")
    said = palo("memory", "salvage", "--lang", "ur")
    assert f"move {path} away, with ur.sqlite-wal and ur.sqlite-shm" in said
    assert "ur.verified.sqlite is whole." in said
    assert {each: each.read_bytes() for each in before} == before
    fresh = path.with_name("ur.salvaged.sqlite")
    with TranslationMemory(fresh) as saved:
        count = saved.count()
        assert 20 <= count < 49
        assert all(entry.text for entry in saved.entries())
    with pytest.raises(UserError, match="is there already"):
        palo("memory", "salvage", "--lang", "ur")
    for each in path.parent.glob("ur.sqlite*"):
        each.rename(each.with_name(f"damaged-{each.name}"))
    fresh.rename(path)
    said = palo("translate", "--lang", "ur", "--engine", "scripted")
    assert f"{49 - count} segments sent" in said
    assert "0 of 3 shards written" in said


def test_a_memory_that_is_no_database_is_told_and_no_file_made(translated, palo):
    path = translated.memory("ur")
    path.write_bytes(b"no database " * 1000)
    with pytest.raises(UserError, match=r"can't be salvaged \(file is not a database\)"):
        palo("memory", "salvage", "--lang", "ur")
    names = sorted(each.name for each in path.parent.glob("*.sqlite"))
    assert names == ["ur.sqlite", "ur.verified.sqlite"]


def test_a_salvage_disturbs_no_run(translated, palo):
    with run_lock(translated.memory_dir / "ur", "a run"), pytest.raises(Locked, match="a run"):
        palo("memory", "salvage", "--lang", "ur")
