"""How many tokens each conversation has with the real tokenizer, and what is cut to make it fit.

Kept beside the mixture's cache as one number a row, so that plans of an epoch read no text.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock

from palo.errors import UserError
from palo.files import digest, read_json, replaced, write_json
from palo.workers import default_processes, in_order
from train.data.mixture import Example, Mixture
from train.data.template import BadConversation, Encoded, Span, Template, caption_span, spans_of

VERSION = "1"
CHUNK_ROWS = 4096
PARALLEL_ROWS = 40_000  # starting processes takes seconds

Tick = Callable[[int], object]


class Unusable(NamedTuple):
    """A conversation that is never trained on."""

    sample_id: str
    lang: str
    reason: str


@dataclass
class CutCount:
    """What the limit on tokens cost one language."""

    conversations: int = 0  # of the language
    cut: int = 0
    unusable: int = 0
    rounds_dropped: int = 0
    tokens_dropped: int = 0
    supervised_dropped: int = 0  # of them in answers

    def add(self, other: "CutCount") -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(frozen=True)
class Lengths:
    """`tokens`: int32, of every row of a mixture after cutting, image tokens counted; 0: unusable.

    `refused` are those of `unusable` whose image name leads out of the images' folder.
    """

    tokens: np.ndarray
    unusable: list[Unusable]
    refused: list[Unusable]
    cut: dict[str, CutCount]

    @property
    def usable(self) -> np.ndarray:
        return self.tokens > 0


@dataclass(frozen=True)
class Measure:
    """The limits that examples are measured against; pickles into worker processes."""

    template: Template
    image_tokens: int
    max_length: int
    as_captions: bool

    def encode(self, example: Example) -> Encoded:
        """The example as it is trained on. Raises BadConversation."""
        has_image = _has_image(example)
        if self.as_captions:
            text = _caption(example)
            return self.template.caption(text, self.max_length, self.image_tokens)
        return self.template.encode(example.turns, has_image, self.max_length, self.image_tokens)

    def spans(self, example: Example) -> list[Span]:
        """Raises BadConversation."""
        has_image = _has_image(example)
        if self.as_captions:
            return [caption_span(_caption(example))]
        return [span for spans in spans_of(example.turns, has_image) for span in spans]


@dataclass
class _Part:
    """The measurements of some rows in a row."""

    tokens: np.ndarray
    unusable: list[Unusable]
    refused: list[Unusable]
    cut: dict[str, CutCount]

    def leave_out(self, example: Example, reason: str) -> None:
        one = Unusable(example.sample_id, example.lang, reason)
        self.unusable.append(one)
        if example.refused:
            self.refused.append(one)
        self.cut[example.lang].unusable += 1


def measure(
    examples: Mixture,
    template: Template,
    image_tokens: int,
    max_length: int,
    as_captions: bool,
    cache_dir: Path,
    processes: int | None = None,
    tick: Tick | None = None,
) -> Lengths:
    """Lengths of a mixture, from the cache where they were measured before.

    Large mixtures are shared out over `processes` (None: one a core); the result is the same for
    any number of them. `tick` is called with numbers of rows done.
    """
    how = Measure(template, image_tokens, max_length, as_captions)
    key = digest([VERSION, template.digest, image_tokens, max_length, as_captions])
    path = cache_dir / f"{examples.path.stem}-{key}.npy"
    if (found := _read(path, len(examples))) is not None:
        return found
    cache_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(cache_dir / ".lengths.lock"):  # one process measures, the others wait for it
        if (found := _read(path, len(examples))) is None:
            parts = _parts(examples, how, processes or default_processes())
            _write(path, examples, parts, tick)
            found = _read(path, len(examples))
    assert found is not None
    return found


def _parts(examples: Mixture, how: Measure, processes: int) -> Iterator[_Part]:
    size = len(examples)
    chunks = [range(at, min(at + CHUNK_ROWS, size)) for at in range(0, size, CHUNK_ROWS)]
    with _without_threads():
        processes = 1 if size < PARALLEL_ROWS else min(processes, len(chunks))
        yield from in_order(
            _measured_here,
            chunks,
            processes,
            "counted tokens",
            prepare=partial(_start, examples, how),
        )


_here: tuple[Mixture, Measure]  # of a worker process


def _start(examples: Mixture, how: Measure) -> None:
    global _here
    _here = (examples, how)


def _measured_here(chunk: range) -> _Part:
    return _measured(*_here, chunk)


def _measured(examples: Mixture, how: Measure, chunk: range) -> _Part:
    """Spans of all rows are counted at once, which is quick; what does not fit is encoded as in
    training."""
    part = _Part(np.zeros(len(chunk), np.int32), [], [], {})
    rows, spans, counts = [], [], []
    for index in chunk:
        example = examples[index]
        part.cut.setdefault(example.lang, CutCount()).conversations += 1
        try:
            found = how.spans(example)
        except BadConversation as error:
            part.leave_out(example, str(error))
            continue
        rows.append((index, example))
        spans += found
        counts.append(len(found))
    ends = np.cumsum(counts)
    summed = np.concatenate([[0], np.cumsum(how.template.span_lengths(spans, how.image_tokens))])
    for (index, example), end, count in zip(rows, ends, counts, strict=True):
        length = 1 + int(summed[end] - summed[end - count])
        if how.max_length and length > how.max_length:
            length = _cut(how, example, part)
        part.tokens[index - chunk.start] = length
    return part


def _cut(how: Measure, example: Example, part: _Part) -> int:
    try:
        encoded = how.encode(example)
    except BadConversation as error:
        part.leave_out(example, str(error))
        return 0
    one = CutCount(
        cut=1,
        rounds_dropped=encoded.rounds_dropped,
        tokens_dropped=encoded.tokens_dropped,
        supervised_dropped=encoded.supervised_dropped,
    )
    part.cut[example.lang].add(one)
    return encoded.length(how.image_tokens)


def _has_image(example: Example) -> bool:
    if example.refused:
        raise BadConversation(example.refused)
    return example.image is not None


def _caption(example: Example) -> str:
    answers = [turn.text for turn in example.turns[1::2]]
    if not answers or example.image is None:
        raise BadConversation("a caption needs an image and a text")
    return answers[0]


@contextmanager
def _without_threads() -> Iterator[None]:
    """The tokenizer's own threads are slower than one for short texts, and warn at later forks."""
    name = "TOKENIZERS_PARALLELISM"
    was = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if was is None:
            del os.environ[name]
        else:
            os.environ[name] = was


def _write(path: Path, examples: Mixture, parts: Iterator[_Part], tick: Tick | None) -> None:
    """The JSON last: without it, the numbers beside it do not count."""
    cut = {lang: CutCount() for lang in examples.counts}
    unusable: list[Unusable] = []
    refused: list[Unusable] = []
    tokens = []
    for part in parts:
        tokens.append(part.tokens)
        unusable += part.unusable
        refused += part.refused
        for lang, count in part.cut.items():
            cut[lang].add(count)
        if tick:
            tick(len(part.tokens))
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.save(file, np.concatenate([np.empty(0, np.int32), *tokens]))
    counts = {lang: asdict(count) for lang, count in cut.items()}
    write_json(path.with_suffix(".json"), {"unusable": unusable, "refused": refused, "cut": counts})


def _read(path: Path, num_rows: int) -> Lengths | None:
    """None where nothing whole is there."""
    try:
        about = read_json(path.with_suffix(".json"))
        tokens = np.load(path, mmap_mode="r")
    except (OSError, EOFError, UserError, ValueError):
        return None
    if tokens.shape != (num_rows,):
        return None
    return Lengths(
        tokens,
        [Unusable(*one) for one in about["unusable"]],
        [Unusable(*one) for one in about["refused"]],
        {lang: CutCount(**count) for lang, count in about["cut"].items()},
    )
