"""Known translations as training examples: the same prompt as in translation, then the answer."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palo.errors import MissingResource
from palo.languages import TARGETS
from palo.memory import VerifiedEntry, segment_key
from palo.schemas import Turn
from palo.settings import Context
from palo.shards import read_samples
from translate.context import NOTHING, Before
from translate.glossary import NO_GLOSSARY, Glossary, Term
from translate.prompt import load_prompt
from translate.segments import Segment, cut, mask, segment

Conversations = Mapping[str, Sequence[Turn]]  # the source's turns by sample id


@dataclass(frozen=True)
class Pair:
    """One segment and what the model should say for it, protected spans as placeholders."""

    lang: str
    text: str
    before: Before
    terms: tuple[Term, ...]
    target: str

    @property
    def context(self) -> str:
        return self.before.english

    @property
    def prompt(self) -> str:
        shown = self.before.shown or self.before.english
        return load_prompt(self.lang).render(self.text, shown, self.terms)

    @property
    def key(self) -> bytes:
        """The same for equal English with equal context, in whatever language."""
        return segment_key(self.text, self.context)


def make_pair(
    lang: str, found: Segment, target: str, glossary: Glossary = NO_GLOSSARY
) -> Pair | None:
    """None where there is nothing to translate or the target lost a protected span."""
    masked = mask(found, target)
    if found.copied or not masked:
        return None
    return Pair(lang, found.text, found.before, glossary.found_in(found.text), masked)


def verified_pairs(
    lang: str,
    entries: Sequence[VerifiedEntry],
    context: Context,
    conversations: Conversations,
    glossary: Glossary = NO_GLOSSARY,
) -> list[Pair]:
    """The verified turns of one language in the memory's order.

    A segment that was verified in several turns comes as often: what the source says often is
    worth more practice.
    """
    words = {(entry.sample_id, entry.turn): entry.text for entry in entries}
    found = []
    for entry in entries:
        cut_out = _segment(entry, context, conversations.get(entry.sample_id, ()), words)
        if pair := make_pair(lang, cut_out, entry.text, glossary):
            found.append(pair)
    return found


def _segment(
    entry: VerifiedEntry,
    context: Context,
    turns: Sequence[Turn],
    words: Mapping[tuple[str, int], str],
) -> Segment:
    """As it would be translated; where the source no longer has the turn, after its question."""
    if entry.turn < len(turns) and turns[entry.turn].text == entry.source:
        said = [words.get((entry.sample_id, index)) for index in range(entry.turn)]
        return segment(turns, entry.turn, context, said)
    return cut(entry.source, NOTHING if context is Context.NONE else Before(entry.context))


def conversations_of(shards: Iterable[Path], sample_ids: set[str]) -> dict[str, Sequence[Turn]]:
    """The turns of these samples, from SOURCE shards."""
    return {
        sample.sample_id: sample.turns
        for path in shards
        for sample in read_samples(path)
        if sample.sample_id in sample_ids
    }


def corpus_languages(path: Path) -> tuple[str, ...]:
    """The targets that the first row of a corpus has, in the order of the table of languages."""
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8") as file:
        row = json.loads(file.readline() or "{}")
    return tuple(str(lang) for lang in TARGETS if lang in row)


def corpus_pairs(path: Path, langs: Iterable[str], context: Context) -> Iterator[Pair]:
    """Pairs of a corpus with rows {"context", "en", "zh", ...}, row by row, without doubles."""
    if not path.is_file():
        raise MissingResource(f"No corpus {path}. Run `palo sample build` first.")
    seen: set[bytes] = set()
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            found = cut(row["en"], NOTHING if context is Context.NONE else Before(row["context"]))
            key = segment_key(row["en"], found.before.english)
            if key in seen:
                continue
            seen.add(key)
            for lang in langs:
                if pair := make_pair(lang, found, row[lang]):
                    yield pair
