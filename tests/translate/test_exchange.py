"""TMX there and back: texts, contexts and properties byte for byte, other tools' files too."""

import io

import pytest
from lxml import etree

from palo.errors import UserError
from translate.exchange import CONTEXT, TmxUnit, read_tmx, write_tmx

TRICKY = ' <x1> & "quotes"\n two  blanks \u200d\U0001f468\u200d\U0001f469 \u202eتصویر\u202c ۔'


def test_units_come_back_as_they_were(tmp_path):
    units = [
        TmxUnit("Two.", "دو۔", {CONTEXT: "How many?"}, "amna", "2026-11-23T20:15:00+00:00"),
        TmxUnit(TRICKY, TRICKY[::-1], {CONTEXT: "", "x-status": "translated"}),
        TmxUnit("Yes.", "جی۔"),
    ]
    written = write_tmx(tmp_path / "ur.tmx", "ur", units)
    assert written == (3, 0)
    assert list(read_tmx(tmp_path / "ur.tmx", "ur")) == units
    assert [unit.context for unit in units] == ["How many?", "", None]


def test_the_file_is_tmx_1_4(tmp_path):
    write_tmx(tmp_path / "ur.tmx", "ur", [TmxUnit("Two.", "دو۔")])
    document = etree.parse(str(tmp_path / "ur.tmx"))
    assert document.docinfo.doctype == '<!DOCTYPE tmx SYSTEM "tmx14.dtd">'
    root = document.getroot()
    assert (root.tag, root.get("version")) == ("tmx", "1.4")
    header = {"creationtool", "creationtoolversion", "segtype", "o-tmf", "adminlang", "srclang"}
    assert set(root.find("header").attrib) == header | {"datatype"}
    assert [child.tag for child in root] == ["header", "body"]


DTD = """
<!ELEMENT tmx (header, body)> <!ATTLIST tmx version CDATA #FIXED "1.4">
<!ELEMENT header (note|prop|ude)*>
<!ATTLIST header creationtool CDATA #REQUIRED creationtoolversion CDATA #REQUIRED
  segtype (block|paragraph|sentence|phrase) #REQUIRED o-tmf CDATA #REQUIRED
  adminlang CDATA #REQUIRED srclang CDATA #REQUIRED datatype CDATA #REQUIRED>
<!ELEMENT body (tu*)> <!ELEMENT tu ((note|prop)*, tuv+)>
<!ATTLIST tu changedate CDATA #IMPLIED changeid CDATA #IMPLIED>
<!ELEMENT tuv ((note|prop)*, seg)> <!ATTLIST tuv xml:lang CDATA #REQUIRED>
<!ELEMENT seg (#PCDATA)> <!ELEMENT prop (#PCDATA)> <!ATTLIST prop type CDATA #REQUIRED>
<!ELEMENT note (#PCDATA)> <!ELEMENT ude EMPTY>
"""


def test_the_file_keeps_the_rules_of_the_standard(tmp_path):
    units = [
        TmxUnit("Two.", "دو۔", {CONTEXT: "How many?"}, "amna", "2026-11-23"),
        TmxUnit("A", "B"),
    ]
    write_tmx(tmp_path / "ur.tmx", "ur", units)
    root = etree.parse(str(tmp_path / "ur.tmx")).getroot()
    rules = etree.DTD(io.StringIO(DTD))
    assert rules.validate(root), rules.error_log
    assert root.find("body/tu").get("changedate") == "20261123T000000Z"
    assert not rules.validate(etree.fromstring("<tmx version='1.4'><body/></tmx>"))


def test_what_xml_cannot_hold_is_left_out_and_counted(tmp_path):
    units = [
        TmxUnit("a\x00b", "c"),
        TmxUnit("a", "b\x1f"),
        TmxUnit("good", "اچھا"),
        TmxUnit("\ud800", "x"),
    ]
    written = write_tmx(tmp_path / "ur.tmx", "ur", units)
    assert written == (1, 3)
    assert [unit.source for unit in read_tmx(tmp_path / "ur.tmx", "ur")] == ["good"]


OTHERS = """<?xml version="1.0"?>
<!DOCTYPE tmx [<!ENTITY secret SYSTEM "file:///etc/hostname">]>
<tmx version="1.4"><header/><body>
<tu><tuv xml:lang="EN-GB"><seg>Red <ph x="1">&lt;b&gt;</ph>star</seg></tuv>
<tuv xml:lang="ur_PK" changeid="amna" changedate="20261123T201500Z"><seg>سرخ ستارہ</seg></tuv>
<tuv xml:lang="fr"><seg>étoile</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>only French</seg></tuv><tuv xml:lang="fr"><seg>oui</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>a &secret; b</seg></tuv><tuv xml:lang="ur"><seg>x</seg></tuv></tu>
</body></tmx>"""


def test_other_tools_files_are_read_and_nothing_is_fetched(tmp_path):
    path = tmp_path / "other.tmx"
    path.write_text(OTHERS, encoding="utf-8")
    first, second = read_tmx(path, "ur")
    assert (first.source, first.target) == ("Red <b>star", "سرخ ستارہ")
    assert (first.changed_by, first.changed) == ("amna", "2026-11-23T20:15:00+00:00")
    assert first.context is None
    assert second.source.split() in (["a", "b"], ["a", "&secret;", "b"])


@pytest.mark.parametrize("code", ["zh", "ZH-CN", "zh_SG", "zh-Hans", "zh-Hans-HK"])
def test_simplified_chinese_is_read_and_traditional_beside_it_is_not(tmp_path, code):
    unit = f'<tuv xml:lang="{code}"><seg>红色</seg></tuv>'
    others = "".join(
        f'<tuv xml:lang="{one}"><seg>紅色</seg></tuv>'
        for one in ("zh-TW", "zh_HK", "zh-MO", "zh-Hant", "zh-Hant-CN")
    )
    english = '<tuv xml:lang="en"><seg>Red</seg></tuv>'
    path = tmp_path / "zh.tmx"
    path.write_text(
        f'<tmx version="1.4"><header/><body><tu>{english}{unit}{others}</tu>'
        f"<tu>{english}{others}</tu></body></tmx>",
        encoding="utf-8",
    )
    assert [one.target for one in read_tmx(path, "zh")] == ["红色"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (OTHERS[:-40], "not a whole TMX file"),
        ("<html><body/></html>", "outermost element is not <tmx>"),
        ("id,text\n1,red", "not a whole TMX file"),
        ("", "not a whole TMX file"),
        (OTHERS.replace("?>", ' encoding="klingon"?>', 1), "not a whole TMX file"),
        (OTHERS.encode().replace(b"star", b"st\xe4r"), "not a whole TMX file"),
    ],
)
def test_what_is_no_tmx_file_is_told(tmp_path, content, said):
    path = tmp_path / "bad.tmx"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=said):
        list(read_tmx(path, "ur"))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match=r"There is no file .*none\.tmx"):
        list(read_tmx(tmp_path / "none.tmx", "ur"))
