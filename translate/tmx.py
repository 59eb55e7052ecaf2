"""Translation units in TMX 1.4b, the exchange format of CAT tools, streamed both ways.

A unit carries its English context and where it came from as `x-` properties, which CAT tools keep.
Texts that XML can't hold (control characters) are left out, and counted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import regex
from lxml import etree

from palo.errors import UserError
from palo.files import replaced
from palo.languages import ENGLISH

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_VERSION = "1.4"
_TMX_DATE = "%Y%m%dT%H%M%SZ"
# what XML 1.0 has no way to write, not even escaped
_UNWRITABLE = regex.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
CONTEXT = "x-context"
KEY = "x-key"  # of a machine unit in its memory, hex
TOOL = "palo"
# Traditional Chinese, by script or by where it is written; Palo's `zh` is simplified.
_TRADITIONAL = frozenset({"hant", "tw", "hk", "mo"})


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
    """The file is whole or as it was. Raises UserError where it can't be written."""
    try:
        with replaced(path) as fresh, fresh.open("wb") as file:
            return _write(file, lang, units)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from None


def _write(file: IO[bytes], lang: str, units: Iterable[Unit]) -> Written:
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
    with etree.xmlfile(file, encoding="utf-8") as xml:
        xml.write_declaration()
        xml.write_doctype('<!DOCTYPE tmx SYSTEM "tmx14.dtd">')
        with xml.element("tmx", version=_VERSION):
            xml.write(etree.Element("header", header), pretty_print=True)
            with xml.element("body"):
                for unit in units:
                    texts = (unit.source, unit.target, unit.changed_by, *unit.properties.values())
                    if any(_UNWRITABLE.search(text) for text in texts):
                        left_out += 1
                        continue
                    xml.write(_element(unit, lang), pretty_print=True)
                    written += 1
    return Written(written, left_out)


def _element(unit: Unit, lang: str) -> Any:
    said = {"changedate": _tmx_date(unit.changed), "changeid": unit.changed_by}
    element = etree.Element("tu", {name: value for name, value in said.items() if value})
    for name, value in unit.properties.items():
        etree.SubElement(element, "prop", type=name).text = value
    for code, text in ((str(ENGLISH), unit.source), (lang, unit.target)):
        etree.SubElement(etree.SubElement(element, "tuv", {_LANG: code}), "seg").text = text
    return element


def read_tmx(path: Path, lang: str) -> Iterator[Unit]:
    """The units from English into `lang`, whatever region codes they carry (`en-GB`, `ur_PK`).

    Traditional Chinese (`zh-TW`, `zh-Hant`) is another language than `zh`.
    Raises UserError for a file that is missing, can't be read, is no TMX, or breaks off; what came
    before a break has been yielded by then.
    """
    try:
        with path.open("rb") as file:
            yield from _read(file, path, lang)
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from None


def _read(file: IO[bytes], path: Path, lang: str) -> Iterator[Unit]:
    try:
        # entities are not resolved and nothing is fetched: the file comes from outside
        elements = etree.iterparse(
            file, tag=("tmx", "tu"), resolve_entities=False, no_network=True, huge_tree=True
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
        code = _language(tuv.get(_LANG) or tuv.get("lang") or "")
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


def _language(tag: str) -> str:
    """`en-GB` -> en, `zh-CN` and `zh-Hans-HK` -> zh; "" for traditional Chinese."""
    code, *rest = tag.lower().replace("_", "-").split("-")
    traditional = code == "zh" and "hans" not in rest and not _TRADITIONAL.isdisjoint(rest)
    return "" if traditional else code


def _tmx_date(iso: str) -> str:
    """`2026-11-23T21:15:00+01:00` -> `20261123T201500Z`; without a zone it is UTC."""
    if not iso:
        return ""
    time = datetime.fromisoformat(iso)
    return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC).strftime(_TMX_DATE)


def _iso_date(tmx: str) -> str:
    try:
        return datetime.strptime(tmx, _TMX_DATE).replace(tzinfo=UTC).isoformat()
    except ValueError:
        return ""
