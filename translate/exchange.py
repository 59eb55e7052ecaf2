"""The memories as TMX 1.4b, the exchange format of CAT tools, and back as verified entries.

A unit carries its English context and where it came from as `x-` properties, which CAT tools keep.
Files are streamed both ways. Texts that XML can't hold (control characters) are counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import Any

import regex
from lxml import etree

from palo.checks.structure import image_tags_moved, span_difference, without_protected
from palo.errors import UserError
from palo.files import replaced, timestamp
from palo.languages import ENGLISH
from palo.memory import Memories, VerifiedEntry, VerifiedMemory, english_context
from palo.schemas import Sample, TurnStatus
from palo.settings import Context
from palo.shards import read_samples
from translate.segments import PLACEHOLDER, Segment, segment
from translate.validate import wrong_script

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TMX_DATE = "%Y%m%dT%H%M%SZ"
# what XML 1.0 has no way to write, not even escaped
_UNWRITABLE = regex.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
CONTEXT = "x-context"
_KEY = "x-key"  # of a machine unit in its memory, hex
_TOOL = "palo"
_HEADER = {
    "creationtool": _TOOL,
    "creationtoolversion": "1",
    "segtype": "block",
    "o-tmf": _TOOL,
    "adminlang": "en",
    "srclang": str(ENGLISH),
    "datatype": "plaintext",
}
# Traditional Chinese, by script or by where it is written; Palo's `zh` is simplified.
_TRADITIONAL = frozenset({"hant", "tw", "hk", "mo"})
_BATCH = 500

Place = tuple[str, int]  # sample id and turn


@dataclass(frozen=True)
class TmxUnit:
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

    @property
    def place(self) -> Place | None:
        """The turn that it names."""
        sample_id, turn = self.properties.get("x-sample"), self.properties.get("x-turn", "")
        return (sample_id, int(turn)) if sample_id and turn.isdecimal() else None

    @property
    def machine_key(self) -> bytes | None:
        """Where the machine's own unit stands in its memory; None for one from elsewhere."""
        try:
            return bytes.fromhex(self.properties.get(_KEY, "")) or None
        except ValueError:
            return None


def units_of(memories: Memories) -> Iterator[TmxUnit]:
    """What the memories hold, verified first."""
    for word in memories.verified.entries():
        properties = {
            CONTEXT: word.context,
            "x-status": str(TurnStatus.VERIFIED),
            "x-sample": word.sample_id,
            "x-turn": str(word.turn),
            "x-batch": word.batch,
        }
        yield TmxUnit(word.source, word.text, properties, word.reviewer, word.created)
    for entry in memories.machine.entries():
        if entry.status is TurnStatus.TRANSLATED:
            properties = {
                CONTEXT: entry.context,
                "x-status": str(entry.status),
                "x-engine": entry.engine,
                _KEY: entry.key.hex(),
                "x-signature": entry.signature,
                "x-prompt": entry.prompt_version,
            }
            yield TmxUnit(entry.source, entry.text, properties, _TOOL, entry.created)


def write_tmx(path: Path, lang: str, units: Iterable[TmxUnit]) -> tuple[int, int]:
    """How many units were written, and how many left out. UserError where it can't be written."""
    written = left_out = 0
    try:
        with (
            replaced(path) as fresh,
            fresh.open("wb") as file,
            etree.xmlfile(file, encoding="utf-8") as xml,
        ):
            xml.write_declaration()
            xml.write_doctype('<!DOCTYPE tmx SYSTEM "tmx14.dtd">')
            with xml.element("tmx", version="1.4"):
                xml.write(etree.Element("header", _HEADER), pretty_print=True)
                with xml.element("body"):
                    for unit in units:
                        texts = (unit.source, unit.target, unit.changed_by)
                        if any(map(_UNWRITABLE.search, (*texts, *unit.properties.values()))):
                            left_out += 1
                            continue
                        xml.write(_element(unit, lang), pretty_print=True)
                        written += 1
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from None
    return written, left_out


def _element(unit: TmxUnit, lang: str) -> Any:
    said = {"changeid": unit.changed_by}
    if unit.changed:  # without a zone it is UTC
        moment = datetime.fromisoformat(unit.changed)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
        said = {"changedate": moment.strftime(_TMX_DATE)} | said
    element = etree.Element("tu", {name: value for name, value in said.items() if value})
    for name, value in unit.properties.items():
        etree.SubElement(element, "prop", type=name).text = value
    for code, text in ((str(ENGLISH), unit.source), (lang, unit.target)):
        etree.SubElement(etree.SubElement(element, "tuv", {_LANG: code}), "seg").text = text
    return element


def read_tmx(path: Path, lang: str) -> Iterator[TmxUnit]:
    """The units from English into `lang`, whatever region codes they carry (`en-GB`, `ur_PK`).
    Traditional Chinese (`zh-TW`, `zh-Hant`) is another language than `zh`. Raises UserError for a
    file that is missing, can't be read, is no TMX, or breaks off; what came before a break has been
    yielded by then."""
    try:
        with path.open("rb") as file:
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
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from None


def _unit(element: Any, lang: str) -> TmxUnit | None:
    texts: dict[str, str] = {}
    changed = {name: element.get(name, "") for name in ("changeid", "changedate")}
    for tuv in element.iterfind("tuv"):
        code = _language(tuv.get(_LANG) or tuv.get("lang") or "")
        text = tuv.find("seg")
        if code not in (str(ENGLISH), lang) or text is None:
            continue
        texts[code] = "".join(text.itertext())
        if code == lang:
            changed |= {name: tuv.get(name) for name in changed if tuv.get(name)}
    if texts.keys() != {str(ENGLISH), lang}:
        return None
    properties = {prop.get("type", ""): prop.text or "" for prop in element.iterfind("prop")}
    date = ""
    with suppress(ValueError):
        date = datetime.strptime(changed["changedate"], _TMX_DATE).replace(tzinfo=UTC).isoformat()
    return TmxUnit(texts[str(ENGLISH)], texts[lang], properties, changed["changeid"], date)


def _language(tag: str) -> str:
    """`en-GB` -> en, `zh-CN` and `zh-Hans-HK` -> zh; "" for traditional Chinese."""
    code, *rest = tag.lower().replace("_", "-").split("-")
    traditional = code == "zh" and "hans" not in rest and not _TRADITIONAL.isdisjoint(rest)
    return "" if traditional else code


class Fate(StrEnum):
    """What became of a unit. One may meet several turns: of their fates the first here counts."""

    VERIFIED = "verified"
    KNOWN = "known already"
    BROKEN = "that lose protected spans or image tags"
    SCRIPT = "in letters of another script"
    STALE = "whose turn has another English by now"
    UNMATCHED = "that no turn of the source has"
    EMPTY = "without a translation"
    CONTRADICTED = "that the file contradicts elsewhere"


@dataclass
class Taken:
    """Every unit has one fate; `first` is the English of the first one with each."""

    fates: Counter[Fate] = field(default_factory=Counter)
    first: dict[Fate, str] = field(default_factory=dict)
    turns: int = 0

    def add(self, unit: TmxUnit, fate: Fate, times: int = 1) -> None:
        self.fates[fate] += times
        self.first.setdefault(fate, unit.source)


@dataclass
class _Candidate:
    """What the file says of a turn or text that the memories don't say; `times`: how often."""

    unit: TmxUnit
    times: int = 0
    fate: Fate = Fate.UNMATCHED


_Candidates = dict[Place | tuple[str, str | None], _Candidate]  # by turn, or by text and context


def _find(
    candidates: _Candidates, sample: Sample, index: int, cut: Segment
) -> tuple[_Candidate, str] | None:
    """The candidate for a turn, and the turn's text by it; "" without the placeholders."""
    if candidate := candidates.get((sample.sample_id, index)):
        return candidate, cut.reframe(candidate.unit.target)
    text = sample.turns[index].text
    contexts = (english_context(sample.turns, index), cut.before.english, None)
    for known in (cut.text, text.strip(), text[len(cut.prefix) : len(text) - len(cut.suffix)]):
        for before in contexts:
            if candidate := candidates.get((known, before)):
                target = candidate.unit.target
                if known != cut.text or not cut.spans:
                    return candidate, cut.reframe(target)
                whole = sorted(PLACEHOLDER.findall(target)) == sorted(cut.placeholders)
                return candidate, cut.restore(target) if whole else ""
    return None


def take_in(
    path: Path,
    lang: str,
    reviewer: str,
    shards: Sequence[Path],
    context: Context,
    memories: Memories,
) -> Taken:
    """Every turn that a new or changed unit of the TMX file fits gets it as a verified entry;
    `reviewer` stands for it where it does not say who changed it.

    A unit fits turns with its text and context; one without a context, every turn with its text;
    one that names its turn, that turn. Nothing is written if the file breaks off half way, and
    nothing changes if it is taken in again.
    """
    taken, candidates = Taken(), _Candidates()
    for unit in _new(read_tmx(path, lang), memories, taken):
        key = unit.place or (unit.source.strip(), unit.context)
        candidate = candidates.setdefault(key, _Candidate(unit))
        candidate.times += 1
        if candidate.unit.target.strip() != unit.target.strip():
            candidate.fate = Fate.CONTRADICTED  # which of them is right is for people to say
    entries: list[VerifiedEntry] = []
    now = timestamp()
    for sample in chain.from_iterable(map(read_samples, shards)):
        for index, turn in enumerate(sample.turns):
            cut = segment(sample.turns, index, context, (None,) * index)  # English is enough here
            match = _find(candidates, sample, index, cut)
            if match is None or match[0].fate is Fate.CONTRADICTED:
                continue
            candidate, text = match
            unit = candidate.unit
            is_ours = unit.changed_by in ("", _TOOL)  # no CAT tool says who changed it
            entry = VerifiedEntry(
                source=turn.text,
                context=english_context(sample.turns, index),
                text=text,
                sample_id=sample.sample_id,
                turn=index,
                all_copies=False,
                reviewer=reviewer if is_ours else unit.changed_by,
                batch=path.name,
                created=now if is_ours else unit.changed or now,
            )
            fate = _fate(unit, entry, lang, memories.verified)
            candidate.fate = min(candidate.fate, fate, key=list(Fate).index)
            if fate is Fate.VERIFIED:
                entries.append(entry)
    memories.verified.put(entries)
    taken.turns = len(entries)
    for candidate in sorted(candidates.values(), key=lambda known: known.unit.place is None):
        taken.add(candidate.unit, candidate.fate, candidate.times)
    return taken


def _new(units: Iterator[TmxUnit], memories: Memories, taken: Taken) -> Iterator[TmxUnit]:
    """The units that say something the memories don't hold yet; the others are counted."""
    while batch := list(islice(units, _BATCH)):
        entries = memories.machine.get([key for unit in batch if (key := unit.machine_key)])
        for unit in batch:
            known: Any = entries.get(unit.machine_key or b"")
            if known is None and unit.place:
                known = memories.verified.find(*unit.place, unit.source, unit.context or "")
            says, should = (any(map(str.isalnum, text)) for text in (unit.target, unit.source))
            if known is not None and known.text.strip() == unit.target.strip():
                taken.add(unit, Fate.KNOWN)
            elif not unit.target.strip() or (should and not says):
                taken.add(unit, Fate.EMPTY)
            else:
                yield unit


def _fate(unit: TmxUnit, entry: VerifiedEntry, lang: str, verified: VerifiedMemory) -> Fate:
    """Of a unit on one turn: a person's word beats the machine's, but what review asks of
    corrections must hold for it, too."""
    if unit.place:  # does the turn that it names still say what it translates?
        same_context = unit.context is None or unit.context.strip() == entry.context.strip()
        if not same_context or unit.source.strip() != entry.source.strip():
            return Fate.STALE
    if image_tags_moved(entry.source, entry.text) or span_difference(entry.source, entry.text):
        return Fate.BROKEN
    if wrong_script(without_protected(entry.source), without_protected(entry.text), lang):
        return Fate.SCRIPT
    place = (entry.sample_id, entry.turn)
    known = verified.find(*place, entry.source, entry.context)
    same = known and (known.text, known.sample_id, known.turn) == (entry.text, *place)
    return Fate.KNOWN if same else Fate.VERIFIED
