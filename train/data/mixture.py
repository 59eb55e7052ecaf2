"""The training mixture: refined shards of all languages and the English set, as one Arrow cache.

Parquet has no cheap random access, so the kept rows are written once to an Arrow file that is
memory-mapped: opening it reads next to nothing, and what is read belongs to the system's page
cache, shared by all workers. The cache may be deleted at any time; its name is a digest of what it
was made from.
"""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock

from palo.errors import MissingResource
from palo.files import digest, file_digest, replaced
from palo.languages import ENGLISH, LANGUAGES, TARGETS
from palo.paths import DataPaths
from palo.schemas import Role, Turn
from palo.settings import RefineSettings
from palo.shards import read_record, shard_paths
from train.data.image_store import RefusedImage, inside
from train.data.rows import English, Row, llava_rows, mixture_rows

CACHE_VERSION = "2"
# One record batch: few enough for opening to be quick, small enough to be built in memory.
BATCH_ROWS = 8192
BATCH_CHARS = 32 << 20

SCHEMA = pa.schema(
    [
        pa.field("sample_id", pa.string()),
        pa.field("lang", pa.uint8()),  # a place in the languages of the metadata
        pa.field("image", pa.string()),  # as the data name it, below the language's root
        pa.field("roles", pa.string()),  # a letter a turn
        pa.field("texts", pa.list_(pa.string())),
    ]
)
_METADATA = b"palo"
_ROLES = {role.value[0]: role for role in Role}


@dataclass(frozen=True)
class Example:
    """One conversation to train on; `image` is None for text alone.

    `refused` is why the image that it names may not be read; `image` is None then too.
    """

    sample_id: str
    lang: str
    image: Path | None
    turns: tuple[Turn, ...]
    refused: str = ""


class Mixture:
    """Random access over the Arrow cache at `path`.

    `langs` holds for every row its place in `languages`; `counts` is conversations a language.
    Pickles as its path, so workers map the file themselves.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
        about = json.loads(reader.schema.metadata[_METADATA])
        self.languages: tuple[str, ...] = tuple(about["languages"])
        self._roots = [Path(root) if root else None for root in about["roots"]]
        self._columns = [tuple(batch.columns) for batch in batches]
        self._starts = [0, *np.cumsum([batch.num_rows for batch in batches]).tolist()]
        parts = [batch.column(1).to_numpy() for batch in batches]
        self.langs: np.ndarray = np.concatenate([np.empty(0, np.uint8), *parts])
        counts = np.bincount(self.langs, minlength=len(self.languages)).tolist()
        named = zip(self.languages, counts, strict=True)
        self.counts: dict[str, int] = {lang: count for lang, count in named if count}

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < len(self):
            raise IndexError(index)
        batch = bisect_right(self._starts, index) - 1
        row = int(index) - self._starts[batch]
        sample_id, _, image, roles, texts = self._columns[batch]
        lang, refused, path = self.langs[index], "", None
        if name := image[row].as_py():
            try:
                path = inside(self._roots[lang], name)
            except RefusedImage as error:
                refused = str(error)
        said = zip(_roles(roles[row].as_py()), texts[row].as_py(), strict=True)
        turns = tuple([Turn(role, text) for role, text in said])
        return Example(sample_id[row].as_py(), self.languages[lang], path, turns, refused)

    def __reduce__(self) -> tuple[Any, ...]:
        return Mixture, (self.path,)

    def has_image(self) -> np.ndarray:
        """Which rows name an image, refused ones too; read from the file, so not for every step."""
        parts = [columns[2].is_valid().to_numpy(zero_copy_only=False) for columns in self._columns]
        return np.concatenate([np.empty(0, np.bool_), *parts])


def open_mixture(
    paths: DataPaths, images_dir: Path | None, english: English, policy: RefineSettings
) -> Mixture:
    """Builds the cache where it is missing or out of date. Raises MissingResource."""
    english_root = images_dir if english.mix_path is None else english.mix_images_dir
    roots = [english_root if lang is ENGLISH else images_dir for lang in LANGUAGES]
    inputs = {
        **mixture_inputs(paths, english, policy),
        "version": CACHE_VERSION,
        "roots": [str(root) for root in roots],
    }
    rows = mixture_rows(paths, english, policy)
    mixture = _opened(paths.root / "mixture", "mixture", inputs, tuple(LANGUAGES), roots, rows)
    if not len(mixture):
        raise MissingResource(f"No conversation was kept in {paths.root / 'refined'}.")
    return mixture


def open_captions(path: Path, images_dir: Path | None, cache_dir: Path) -> Mixture:
    """Stage 1's LLaVA list of captions, as a cache of the same kind. Raises UserError."""
    inputs = {"version": CACHE_VERSION, "list": file_digest(path), "images": str(images_dir)}
    rows = llava_rows(path)
    captions = _opened(cache_dir, "captions", inputs, (ENGLISH,), [images_dir], rows)
    if not len(captions):
        raise MissingResource(f"There is no caption in {path}.")
    return captions


def mixture_inputs(paths: DataPaths, english: English, policy: RefineSettings) -> dict[str, Any]:
    """What the conversations depend on: digests of contents, never file times or places."""
    shards = {}
    folders = [paths.refined(lang) for lang in TARGETS]
    if english.mix_path is None:
        folders.append(paths.source_dir)
    for folder in folders:
        for path in shard_paths(folder):
            record = read_record(path)
            shards[str(path.relative_to(paths.root))] = record.digest if record else "unfinished"
    mix = english.mix_path
    return {
        "shards": shards,
        "policy": policy.model_dump(mode="json", include={"policy", "keep_review"}),
        "mix": file_digest(mix) if mix and mix.is_file() else None,
    }


def _opened(
    folder: Path,
    kind: str,
    inputs: dict[str, Any],
    languages: Sequence[str],
    roots: Sequence[Path | None],
    rows: Iterator[Row],
) -> Mixture:
    """The cache of these inputs, built from `rows` where there is none; older ones are removed."""
    cache = folder / f"{kind}-{digest(inputs)}.arrow"
    if (found := _whole(cache)) is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{kind}.lock"):  # one process builds, the others wait for it
        if _whole(cache) is None:
            about = {"languages": languages, "roots": [str(root) if root else "" for root in roots]}
            with replaced(cache) as temporary:
                _write(temporary, about, rows)
        for other in folder.glob(f"{kind}-*"):  # lengths and the like go with their cache
            if not other.name.startswith(cache.stem):
                other.unlink(missing_ok=True)
    return Mixture(cache)


def _whole(cache: Path) -> Mixture | None:
    try:
        return Mixture(cache)
    except (FileNotFoundError, pa.ArrowInvalid, KeyError):  # none, or one that a bad disk hurt
        return None


def _write(path: Path, about: dict[str, Any], rows: Iterator[Row]) -> None:
    schema = SCHEMA.with_metadata({_METADATA: json.dumps(about).encode()})
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for pending in _batches(rows):
            columns = zip(*pending, strict=True)
            arrays = [
                pa.array(column, one.type) for column, one in zip(columns, schema, strict=True)
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    pending: list[Row] = []
    chars = 0
    for row in rows:
        pending.append(row)
        chars += sum(map(len, row.texts))
        if len(pending) == BATCH_ROWS or chars > BATCH_CHARS:
            yield pending
            pending, chars = [], 0
    if pending:
        yield pending


@lru_cache(maxsize=4096)
def _roles(letters: str) -> tuple[Role, ...]:
    return tuple(_ROLES[letter] for letter in letters)
