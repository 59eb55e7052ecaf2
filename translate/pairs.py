"""Known translations as training examples: the same prompt as in translation, then the answer."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from palo.errors import MissingResource
from palo.memory import VerifiedEntry, segment_key
from palo.settings.translate import Context
from translate.prompt import load_prompt
from translate.segments import cut, mask


@dataclass(frozen=True)
class Pair:
    """One segment and what the model should say for it, protected spans as placeholders."""

    lang: str
    text: str
    context: str
    target: str

    @property
    def prompt(self) -> str:
        return load_prompt(self.lang).render(self.text, self.context)

    @property
    def key(self) -> bytes:
        """The same for equal English with equal context, in whatever language."""
        return segment_key(self.text, self.context)


def make_pair(lang: str, source: str, context: str, target: str) -> Pair | None:
    """None where there is nothing to translate or the target lost a protected span."""
    segment = cut(source, context)
    masked = mask(segment, target)
    if segment.copied or not masked:
        return None
    return Pair(lang, segment.text, context, masked)


def verified_pairs(lang: str, entries: Iterable[VerifiedEntry], context: Context) -> list[Pair]:
    """The verified turns of one language in the memory's order.

    A segment that was verified in several turns comes as often: what the source says often is
    worth more practice.
    """
    found = []
    for entry in entries:
        before = entry.context if context is Context.SOURCE else ""
        if pair := make_pair(lang, entry.source, before, entry.text):
            found.append(pair)
    return found


def corpus_pairs(path: Path, langs: Iterable[str], context: Context) -> Iterator[Pair]:
    """Pairs of a corpus with rows {"context", "en", "zh", ...}, row by row, without doubles."""
    if not path.is_file():
        raise MissingResource(f"No corpus {path}. Run `palo sample build` first.")
    seen: set[bytes] = set()
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            before = row["context"] if context is Context.SOURCE else ""
            key = segment_key(row["en"], before)
            if key in seen:
                continue
            seen.add(key)
            for lang in langs:
                if pair := make_pair(lang, row["en"], before, row[lang]):
                    yield pair
