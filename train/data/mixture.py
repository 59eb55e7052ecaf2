"""The training mixture: refined shards of all languages and the English set, as one Arrow cache;
and which of its conversations an epoch has.

Parquet has no cheap random access, so the kept rows are written once to an Arrow file that is
memory-mapped: opening it reads next to nothing, and what is read belongs to the system's page
cache, shared by all workers. The cache may be deleted at any time; its name is a digest of what it
was made from.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from filelock import FileLock

from palo.errors import MissingResource, UserError
from palo.files import digest, file_digest, replaced
from palo.languages import ENGLISH, LANGUAGES, TARGETS, Language
from palo.llava import read_conversations
from palo.schemas import Role, Turn
from palo.settings import MixtureWeights, Profile
from palo.shards import read_columns, read_record, shard_paths, training_conversations
from palo.workers import batches
from train.data.images import RefusedImage, inside

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
Row = dict[str, Any]  # one conversation on its way into the cache, as SCHEMA has it
CODES: dict[str, int] = {lang: code for code, lang in enumerate(LANGUAGES)}
_ROLES = {role.value[0]: role for role in Role}


@dataclass(frozen=True)
class Example:
    """One conversation to train on; `image` is None for text alone. `refused` is why the image that
    it names may not be read; `image` is None then too."""

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
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        about = json.loads(table.schema.metadata[_METADATA])
        self.languages: tuple[str, ...] = tuple(about["languages"])
        self._roots = [Path(root) if root else None for root in about["roots"]]
        self._columns = table.columns
        self.langs: np.ndarray = table.column("lang").combine_chunks().to_numpy()
        counts = np.bincount(self.langs, minlength=len(self.languages)).tolist()
        named = zip(self.languages, counts, strict=True)
        self.counts: dict[str, int] = {lang: count for lang, count in named if count}

    def __len__(self) -> int:
        return len(self.langs)

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < len(self):
            raise IndexError(index)
        sample_id, _, name, roles, texts = [column[index].as_py() for column in self._columns]
        lang, refused, path = self.langs[index], "", None
        if name:
            try:
                path = inside(self._roots[lang], name)
            except RefusedImage as error:
                refused = str(error)
        turns = tuple([Turn(_ROLES[role], text) for role, text in zip(roles, texts, strict=True)])
        return Example(sample_id, self.languages[lang], path, turns, refused)

    def __reduce__(self) -> tuple[Any, ...]:
        return Mixture, (self.path,)

    def has_image(self) -> np.ndarray:
        """Which rows name an image, refused ones too; read from the file, so not for every step."""
        named = self._columns[2].is_valid().combine_chunks()
        return np.asarray(named.to_numpy(zero_copy_only=False))


def open_mixture(profile: Profile) -> Mixture:
    """Every conversation that may be trained on, English first: that of the SOURCE shards, or a
    larger LLaVA list instead. Raises MissingResource."""
    settings, images_dir = profile.train, profile.source.images_dir
    has_mix = settings.english_mix_path is not None
    english_root = settings.english_mix_images_dir if has_mix else images_dir
    roots = {lang: english_root if lang is ENGLISH else images_dir for lang in LANGUAGES}
    inputs = mixture_inputs(profile) | {"roots": [str(root) for root in roots.values()]}
    mixture = _opened(profile, "mixture", inputs, roots, _mixture_rows(profile))
    if not len(mixture):
        raise MissingResource(f"No conversation was kept in {profile.data_dir / 'refined'}.")
    return mixture


def open_captions(profile: Profile) -> Mixture:
    """Stage 1's LLaVA list of captions, as a cache of the same kind. Raises UserError."""
    path, images_dir = profile.train.captions_path, profile.train.captions_images_dir
    inputs = {"list": file_digest(path), "images": str(images_dir)}
    captions = _opened(profile, "captions", inputs, {ENGLISH: images_dir}, llava_rows(path))
    if not len(captions):
        raise MissingResource(f"There is no caption in {path}.")
    return captions


def mixture_inputs(profile: Profile) -> dict[str, Any]:
    """What the conversations depend on: digests of contents, never file times or places."""
    paths, mix = profile.paths, profile.train.english_mix_path
    shards = {}
    for folder in [*map(paths.refined, TARGETS), *([paths.source_dir] if mix is None else [])]:
        for path in shard_paths(folder):
            record = read_record(path)
            shards[str(path.relative_to(paths.root))] = record.digest if record else "unfinished"
    return {
        "shards": shards,
        "policy": profile.refine.model_dump(mode="json", include={"policy", "keep_review"}),
        "mix": file_digest(mix) if mix and mix.is_file() else None,
    }


def _mixture_rows(profile: Profile) -> Iterator[Row]:
    """A batch in memory at a time."""
    paths, mix = profile.paths, profile.train.english_mix_path
    for path in shard_paths(paths.source_dir) if mix is None else ():
        for sample_id, image, turns in read_columns(path, ("sample_id", "image", "turns")):
            yield _row(sample_id, ENGLISH, image, [(turn["role"], turn["text"]) for turn in turns])
    if mix is not None:
        yield from llava_rows(mix)
    for lang in TARGETS:
        for count, _, (sample_id, image, turns) in training_conversations(
            paths.refined(lang), profile.refine, ("sample_id", "image", "target")
        ):
            if count:
                said = [(turn["role"], turn["text"]) for turn in turns[:count]]
                yield _row(sample_id, lang, image, said)


def _row(sample_id: str, lang: str, image: str | None, turns: Sequence[tuple[str, str]]) -> Row:
    roles = "".join([role[0] for role, _ in turns])
    row = (sample_id, CODES[lang], image or None, roles, [text for _, text in turns])
    return dict(zip(SCHEMA.names, row, strict=True))


def llava_rows(path: Path) -> Iterator[Row]:
    """Rows of a LLaVA list. Raises UserError where it is none."""
    for item_id, image, turns in read_conversations(path):
        yield _row(str(item_id), ENGLISH, image, turns)


def _opened(
    profile: Profile,
    kind: str,
    inputs: dict[str, Any],
    roots: Mapping[Language, Path | None],
    rows: Iterator[Row],
) -> Mixture:
    """The cache of these inputs, built from `rows` where there is none; older ones are removed.
    `roots`: where the images of each language lie."""
    folder = profile.data_dir / "mixture"
    cache = folder / f"{kind}-{digest({'version': CACHE_VERSION, **inputs})}.arrow"
    if (whole := _whole(cache)) is not None:
        return whole
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{kind}.lock"):  # one process builds, the others wait for it
        if _whole(cache) is None:
            lie = [str(root) if root else "" for root in roots.values()]
            about = {"languages": [*roots], "roots": lie}
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
        for part in batches(rows, BATCH_ROWS, lambda row: sum(map(len, row["texts"])), BATCH_CHARS):
            writer.write_batch(pa.RecordBatch.from_pylist(part, schema=schema))


def draw(
    langs: np.ndarray,
    languages: Sequence[str],
    usable: np.ndarray,
    weights: MixtureWeights,
    seed: int,
    epoch: int,
) -> np.ndarray:
    """Indices of one epoch's conversations, shuffled: int64, as many in every epoch.

    `langs` holds a place in `languages` for each conversation. Of a language drawn with weight 2.5
    every conversation comes twice and half of them once more; the halves of following epochs
    complete each other. A pure function of its arguments. Raises UserError where nothing is left.
    """
    wanted = expected_counts(langs, languages, usable, weights)
    drawn = []
    for code, lang in enumerate(languages):
        rows = np.flatnonzero((langs == code) & usable)
        if not wanted[lang]:
            continue
        whole, rest = divmod(wanted[lang], len(rows))
        drawn += [rows] * whole
        if rest:
            shuffled = _random(seed, zlib.crc32(lang.encode())).permutation(rows)
            places = np.arange(epoch * rest, (epoch + 1) * rest)
            drawn.append(shuffled.take(places, mode="wrap"))
    if not drawn:
        raise UserError(
            f"The mixture's weights leave nothing to train on: of {int(usable.sum())} usable "
            "conversations none is drawn. See train: mixture: in pipelines.yaml."
        )
    order = np.concatenate(drawn).astype(np.int64)
    _random(seed, len(languages), epoch).shuffle(order)
    return order


def expected_counts(
    langs: np.ndarray, languages: Sequence[str], usable: np.ndarray, weights: MixtureWeights
) -> dict[str, int]:
    """Conversations of each language that every epoch draws."""
    counts = np.bincount(langs[usable], minlength=len(languages))
    if weights.temperature is None:
        wanted = counts * [weights.weights.get(lang, 1.0) for lang in languages]
        # + 1e-9: 0.29 x 100 must be 29, whatever floating point makes of it
        return {lang: int(count + 1e-9) for lang, count in zip(languages, wanted, strict=True)}
    # parts of the same total in proportion to n^(1/T); the largest remainders are rounded up
    total = int(counts.sum())
    if not total:
        return dict.fromkeys(languages, 0)
    logs = np.log(np.maximum(counts, 1)) / weights.temperature
    power = np.where(counts > 0, np.exp(logs - logs.max()), 0.0)  # small T would overflow
    exact = total * power / power.sum()
    whole = np.floor(exact).astype(np.int64)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return dict(zip(languages, whole.tolist(), strict=True))


def _random(*seeds: int) -> np.random.RandomState:
    """numpy keeps RandomState's streams the same for ever, unlike Generator's (NEP 19)."""
    words = [seed % 2**32 for seed in seeds]
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(words)))
