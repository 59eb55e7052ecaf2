"""Translation units in TMX 1.4b, the exchange format of CAT tools, streamed both ways.

A unit carries its English context and where it came from as `x-` properties, which CAT tools keep.
Texts that XML can't hold (control characters) are left out, and counted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import regex
from lxml import etree

from palo.errors import UserError
from palo.languages import ENGLISH
from palo.shards import replaced

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_VERSION = "1.4"
# what XML 1.0 has no way to write, not even escaped
_UNWRITABLE = regex.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
CONTEXT = "x-context"
TOOL = "palo"


@dataclass(frozen=True)
class Unit:
    """An English text and its translation; `properties` are TMX's `prop`s by type."""

    source: str
    target: str
    properties: dict[str, str] = field(default_factory=dict)
    changed_by: str = ""  # TMX's changeid
    changed: str = ""  # ISO 8601, of TMX's changedate

    @property
    def context(self) -> str | None:
        """The English question before an answer; None where the file does not say."""
        return self.properties.get(CONTEXT)


@dataclass(frozen=True)
class Written:
    units: int
    left_out: int


def write_tmx(path: Path, lang: str, units: Iterable[Unit]) -> Written:
    """The file is whole or not there at all."""
    written = left_out = 0
    header = {
        "creationtool": TOOL,
        "creationtoolversion": "1",
        "segtype": "block",
        "o-tmf": TOOL,
        "adminlang": "en",
        "srclang": str(ENGLISH),
        "datatype": "plaintext",
    }
    with replaced(path) as fresh, etree.xmlfile(str(fresh), encoding="utf-8") as xml:
        xml.write_declaration()
        xml.write_doctype('<!DOCTYPE tmx SYSTEM "tmx14.dtd">')
        with xml.element("tmx", version=_VERSION):
            xml.write(etree.Element("header", header), pretty_print=True)
            with xml.element("body"):
                for unit in units:
                    texts = (unit.source, unit.target, *unit.properties.values())
                    if any(_UNWRITABLE.search(text) for text in texts):
                        left_out += 1
                        continue
                    xml.write(_element(unit, lang), pretty_print=True)
                    written += 1
    return Written(written, left_out)


def _element(unit: Unit, lang: str) -> Any:
    attributes = {"changedate": _tmx_date(unit.changed)} if unit.changed else {}
    if unit.changed_by:
        attributes["changeid"] = unit.changed_by
    element = etree.Element("tu", attributes)
    for name, value in unit.properties.items():
        etree.SubElement(element, "prop", type=name).text = value
    for code, text in ((str(ENGLISH), unit.source), (lang, unit.target)):
        etree.SubElement(etree.SubElement(element, "tuv", {_LANG: code}), "seg").text = text
    return element


def read_tmx(path: Path, lang: str) -> Iterator[Unit]:
    """The units from English into `lang`, whatever region codes they carry (`en-GB`, `ur_PK`).

    Raises UserError for a file that is missing, no TMX, or breaks off; what came before a break has
    been yielded by then.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        # entities are not resolved and nothing is fetched: the file comes from outside
        elements = etree.iterparse(
            str(path), tag=("tmx", "tu"), resolve_entities=False, no_network=True, huge_tree=True
        )
        for _, element in elements:
            if element.tag == "tu":
                if unit := _unit(element, lang):
                    yield unit
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        if elements.root is None or elements.root.tag != "tmx":
            raise UserError(f"{path} is not a TMX file: its outermost element is not <tmx>.")
    except etree.XMLSyntaxError as error:
        raise UserError(f"{path} is not a whole TMX file: {error}.") from None


def _unit(element: Any, lang: str) -> Unit | None:
    texts, changed = {}, {"changeid": element.get("changeid", ""), "changedate": ""}
    changed["changedate"] = element.get("changedate", "")
    for tuv in element.iterfind("tuv"):
        code = (tuv.get(_LANG) or tuv.get("lang") or "").lower().replace("_", "-").split("-")[0]
        segment = tuv.find("seg")
        if code not in (str(ENGLISH), lang) or segment is None:
            continue
        texts[code] = "".join(segment.itertext())
        if code == lang:
            changed |= {name: tuv.get(name) for name in changed if tuv.get(name)}
    if texts.keys() != {str(ENGLISH), lang}:
        return None
    properties = {one.get("type", ""): one.text or "" for one in element.iterfind("prop")}
    return Unit(
        texts[str(ENGLISH)],
        texts[lang],
        properties,
        changed["changeid"],
        _iso_date(changed["changedate"]),
    )


def _tmx_date(iso: str) -> str:
    """`2026-11-23T20:15:00+00:00` -> `20261123T201500Z`"""
    return iso[:19].replace("-", "").replace(":", "") + "Z"


def _iso_date(tmx: str) -> str:
    if not regex.fullmatch(r"\d{8}T\d{6}Z", tmx):
        return ""
    day, time = tmx[:8], tmx[9:15]
    date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    return f"{date}T{time[:2]}:{time[2:4]}:{time[4:]}+00:00"
