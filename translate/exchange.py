"""Takes translations from a TMX file in as verified words on turns of the source."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

from palo.checks.image_tag import image_tags_moved
from palo.checks.placeholders import span_difference, without_protected
from palo.memory import TranslationMemory, VerifiedEntry, VerifiedMemory, english_context
from palo.schemas import Sample
from palo.settings import Context
from palo.shards import read_samples
from translate.segments import PLACEHOLDER, Segment, segment
from translate.tmx import KEY, TOOL, Unit
from translate.validate import wrong_script

_BATCH = 500
Place = tuple[str, int]


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


@dataclass(frozen=True)
class Delivery:
    """A file's units as a whole: their language, the batch's name, and who stands for them."""

    units: Iterable[Unit]
    lang: str
    batch: str
    reviewer: str  # where a unit does not say who changed it


@dataclass
class Taken:
    """Every unit has one fate; `first` is the English of the first one with each."""

    fates: Counter[Fate] = field(default_factory=Counter)
    first: dict[Fate, str] = field(default_factory=dict)
    turns: int = 0

    def add(self, unit: Unit, fate: Fate, times: int = 1) -> None:
        self.fates[fate] += times
        self.first.setdefault(fate, unit.source)


@dataclass
class _Candidate:
    """What the file says of a turn or text that the memories don't say; `times`: how often."""

    unit: Unit
    times: int = 1
    fate: Fate = Fate.UNMATCHED

    def meet(self, fate: Fate) -> None:
        self.fate = min(self.fate, fate, key=list(Fate).index)


class _Wanted:
    """The candidates, found again by turn, or by text and context."""

    def __init__(self) -> None:
        self._of_turn: dict[Place, _Candidate] = {}
        self._of_text: dict[tuple[str, str | None], _Candidate] = {}

    def add(self, unit: Unit) -> None:
        fresh = _Candidate(unit)
        place = _place(unit)
        if place:
            candidate = self._of_turn.setdefault(place, fresh)
        else:
            candidate = self._of_text.setdefault((unit.source.strip(), unit.context), fresh)
        if candidate is fresh:
            return
        candidate.times += 1
        if candidate.unit.target.strip() != unit.target.strip():
            candidate.fate = Fate.CONTRADICTED  # which of them is right is for people to say

    def find(self, sample: Sample, index: int, cut: Segment) -> tuple[_Candidate, str] | None:
        """The candidate for a turn, and the turn's text by it; "" without the placeholders."""
        if candidate := self._of_turn.get((sample.sample_id, index)):
            return candidate, cut.reframe(candidate.unit.target)
        text = sample.turns[index].text
        contexts = (english_context(sample.turns, index), cut.before.english, None)
        end = len(text) - len(cut.suffix)
        for known in (cut.text, text.strip(), text[len(cut.prefix) : end]):
            for before in contexts:
                if candidate := self._of_text.get((known, before)):
                    target = candidate.unit.target
                    is_masked = known == cut.text and bool(cut.spans)
                    return candidate, _restored(cut, target) if is_masked else cut.reframe(target)
        return None

    def __iter__(self) -> Iterator[_Candidate]:
        yield from self._of_turn.values()
        yield from self._of_text.values()


def take_in(
    delivery: Delivery,
    shards: Sequence[Path],
    context: Context,
    memory: TranslationMemory,
    words: VerifiedMemory,
) -> Taken:
    """Every turn that a new or changed unit fits gets it as a verified word.

    A unit fits turns with its text and context; one without a context, every turn with its text;
    one that names its turn, that turn. Nothing is written if the file breaks off half way, and
    nothing changes if it is taken in again.
    """
    taken, wanted = Taken(), _Wanted()
    for unit in _new(delivery, memory, words, taken):
        wanted.add(unit)
    found: list[VerifiedEntry] = []
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for sample in (sample for path in shards for sample in read_samples(path)):
        for index in range(len(sample.turns)):
            cut = segment(sample.turns, index, context, (None,) * index)  # English is enough here
            match = wanted.find(sample, index, cut)
            if match is None or match[0].fate is Fate.CONTRADICTED:
                continue
            candidate, text = match
            word = _word(delivery, candidate.unit, sample, index, text, now)
            fate = _fate(candidate.unit, word, delivery.lang, words)
            candidate.meet(fate)
            if fate is Fate.VERIFIED:
                found.append(word)
    words.put(found)
    taken.turns = len(found)
    for candidate in wanted:
        taken.add(candidate.unit, candidate.fate, candidate.times)
    return taken


def _new(
    delivery: Delivery, memory: TranslationMemory, words: VerifiedMemory, taken: Taken
) -> Iterator[Unit]:
    """The units that say something the memories don't hold yet; the others are counted."""
    stream = iter(delivery.units)
    while some := list(islice(stream, _BATCH)):
        keys = [_machine_key(unit) for unit in some]
        entries = memory.get([key for key in keys if key])
        for unit, key in zip(some, keys, strict=True):
            known = entries[key].text if key in entries else None
            if known is None and (place := _place(unit)):
                word = words.find(*place, unit.source, unit.context or "")
                known = word.text if word else None
            if known is not None and known.strip() == unit.target.strip():
                taken.add(unit, Fate.KNOWN)
            elif _is_empty(unit):
                taken.add(unit, Fate.EMPTY)
            else:
                yield unit


def _is_empty(unit: Unit) -> bool:
    says, should = (any(map(str.isalnum, text)) for text in (unit.target, unit.source))
    return not unit.target.strip() or (should and not says)


def _machine_key(unit: Unit) -> bytes | None:
    """Where the machine's own unit stands in its memory; None for one from elsewhere."""
    try:
        return bytes.fromhex(unit.properties.get(KEY, "")) or None
    except ValueError:
        return None


def _place(unit: Unit) -> Place | None:
    sample_id, turn = unit.properties.get("x-sample"), unit.properties.get("x-turn", "")
    return (sample_id, int(turn)) if sample_id and turn.isdecimal() else None


def _restored(cut: Segment, target: str) -> str:
    """The turn for a text with placeholders; "" where they are not the segment's."""
    if sorted(PLACEHOLDER.findall(target)) != sorted(cut.placeholders):
        return ""
    return cut.restore(target)


def _word(
    delivery: Delivery, unit: Unit, sample: Sample, index: int, text: str, now: str
) -> VerifiedEntry:
    is_ours = unit.changed_by in ("", TOOL)  # no CAT tool says who changed it
    return VerifiedEntry(
        source=sample.turns[index].text,
        context=english_context(sample.turns, index),
        text=text,
        sample_id=sample.sample_id,
        turn=index,
        all_copies=False,
        reviewer=delivery.reviewer if is_ours else unit.changed_by,
        batch=delivery.batch,
        created=now if is_ours else unit.changed or now,
    )


def _fate(unit: Unit, word: VerifiedEntry, lang: str, words: VerifiedMemory) -> Fate:
    """Of a unit on one turn: a person's word beats the machine's, but what review asks of
    corrections must hold for it, too."""
    if _place(unit) and not _is_of(unit, word):
        return Fate.STALE
    if image_tags_moved(word.source, word.text) or span_difference(word.source, word.text):
        return Fate.BROKEN
    if wrong_script(without_protected(word.source), without_protected(word.text), lang):
        return Fate.SCRIPT
    known = words.find(word.sample_id, word.turn, word.source, word.context)
    place = (word.sample_id, word.turn)
    if known and known.text == word.text and (known.sample_id, known.turn) == place:
        return Fate.KNOWN
    return Fate.VERIFIED


def _is_of(unit: Unit, word: VerifiedEntry) -> bool:
    """Whether the turn that a unit names still says what the unit translates."""
    same_context = unit.context is None or unit.context.strip() == word.context.strip()
    return same_context and unit.source.strip() == word.source.strip()
