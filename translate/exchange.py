"""Takes translations from a TMX file in as verified words on turns of the source."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from palo.checks.placeholders import span_difference
from palo.memory import (
    TranslationMemory,
    VerifiedEntry,
    VerifiedMemory,
    english_context,
    machine_key,
)
from palo.schemas import Sample
from palo.settings.translate import Context
from palo.shards import read_samples
from translate.segments import PLACEHOLDER, Segment, segment
from translate.tmx import TOOL, Unit

_BATCH = 500
Place = tuple[str, int]


@dataclass
class Taken:
    """What became of the units; one of them may stand for many turns."""

    units: int = 0
    unchanged: int = 0  # as the memories have it already
    used: int = 0
    unmatched: int = 0
    broken: int = 0
    turns: int = 0


class _Wanted:
    """The units that say something new, found again by turn, or by text and context."""

    def __init__(self) -> None:
        self.of_turn: dict[Place, Unit] = {}
        self.of_text: dict[tuple[str, str | None], Unit] = {}

    def add(self, unit: Unit) -> None:
        if place := _place(unit):
            self.of_turn[place] = unit
        else:
            self.of_text[unit.source.strip(), unit.context] = unit

    def find(self, sample: Sample, index: int, cut: Segment) -> tuple[Unit, bool] | None:
        """The unit for a turn, and whether its text is the segment's, with placeholders."""
        if unit := self.of_turn.get((sample.sample_id, index)):
            return unit, False
        text = sample.turns[index].text
        context = english_context(sample.turns, index)
        end = len(text) - len(cut.suffix)
        for known, is_segment in (
            (cut.text, True),
            (text.strip(), False),
            (text[len(cut.prefix) : end], False),
        ):
            for before in (context, None):
                if unit := self.of_text.get((known, before)):
                    return unit, is_segment and bool(cut.spans)
        return None


def take_in(
    units: Iterable[Unit],
    lang: str,
    batch: str,
    shards: Sequence[Path],
    context: Context,
    memory: TranslationMemory,
    words: VerifiedMemory,
    reviewer: str,
) -> Taken:
    """Every turn that a new or changed unit fits gets it as a verified word.

    A unit fits turns with its text and context; one without a context, every turn with its text;
    one that names its turn, that turn. Nothing is written if the file breaks off half way.
    """
    taken, wanted = Taken(), _Wanted()
    for unit in _new(units, lang, memory, words, taken):
        wanted.add(unit)
    used: set[int] = set()
    broken: set[int] = set()
    found: list[VerifiedEntry] = []
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for sample in (sample for path in shards for sample in read_samples(path)):
        for index, turn in enumerate(sample.turns):
            cut = segment(sample.turns, index, context)
            if (match := wanted.find(sample, index, cut)) is None:
                continue
            unit, is_segment = match
            text = _restored(cut, unit.target) if is_segment else cut.reframe(unit.target)
            if text is None or span_difference(turn.text, text):
                broken.add(id(unit))
                continue
            used.add(id(unit))
            is_ours = unit.changed_by in ("", TOOL)  # no CAT tool says who changed it
            found.append(
                VerifiedEntry(
                    source=turn.text,
                    context=english_context(sample.turns, index),
                    text=text,
                    sample_id=sample.sample_id,
                    turn=index,
                    all_copies=False,
                    reviewer=reviewer if is_ours else unit.changed_by,
                    batch=batch,
                    created=now if is_ours else unit.changed or now,
                )
            )
    words.put(found)
    taken.used, taken.broken, taken.turns = len(used), len(broken - used), len(found)
    taken.unmatched = taken.units - taken.unchanged - taken.used - taken.broken
    return taken


def _new(
    units: Iterable[Unit],
    lang: str,
    memory: TranslationMemory,
    words: VerifiedMemory,
    taken: Taken,
) -> Iterator[Unit]:
    """The units whose text the memories don't hold yet."""
    stream = iter(units)
    while some := list(islice(stream, _BATCH)):
        keys = [_machine_key(unit, lang) for unit in some]
        entries = memory.get([key for key in keys if key])
        for unit, key in zip(some, keys, strict=True):
            taken.units += 1
            known = entries[key].text if key in entries else None
            if known is None and (place := _place(unit)):
                word = words.find(*place, unit.source, unit.context or "")
                known = word.text if word else None
            if known is not None and known.strip() == unit.target.strip():
                taken.unchanged += 1
            else:
                yield unit


def _machine_key(unit: Unit, lang: str) -> bytes | None:
    """Where the machine's own unit stands in its memory; None for one from elsewhere."""
    signature, prompt = unit.properties.get("x-signature"), unit.properties.get("x-prompt")
    if signature is None or prompt is None:
        return None
    return machine_key(signature, prompt, lang, unit.source, unit.context or "")


def _place(unit: Unit) -> Place | None:
    sample_id, turn = unit.properties.get("x-sample"), unit.properties.get("x-turn", "")
    return (sample_id, int(turn)) if sample_id and turn.isdecimal() else None


def _restored(cut: Segment, target: str) -> str | None:
    """The turn for a text with placeholders; None where they are not the segment's."""
    if sorted(PLACEHOLDER.findall(target)) != sorted(cut.placeholders):
        return None
    return cut.restore(target)
