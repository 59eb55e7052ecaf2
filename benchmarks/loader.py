"""Measures what it takes to open the training mixture, beside `json.load` of the same data.

    .venv/bin/python -m benchmarks.loader

`open_s`: from nothing to a mixture that gives any conversation, its cache being there; imports are
left out. `private_mib`: memory of this process alone that opening took (USS above the imports).
`ratio_to_json`: our speed over that of `json.load`, which published trainers do;
`memory_ratio_to_json`: its memory over ours. Also: `build_s` and `build_peak_mib` of making the
cache from the shards, `random_ms` a conversation in random order, `lengths_per_s` conversations
measured with a tokenizer.

The shards are synthetic: conversations in the shapes of LLaVA-Instruct, in ten scripts, one in
three of them English, one in sixteen without an image. `json.load` holds ten times what it reads,
so it gets a part of the data, and its figures are scaled up. Needs about 9 GB of temporary disk at
full size.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.harness import (
    MIB,
    MIXTURE,
    ROOT,
    SHAPES,
    Prose,
    apart,
    cores,
    finish,
    peak_rss_mib,
    private_mib,
    timed,
)
from palo import schemas
from palo.files import digest, write_json
from palo.languages import ENGLISH, LANGUAGES, TARGETS
from palo.paths import DataPaths
from palo.settings import Profile, SourceSettings, TrainSettings
from palo.shards import shard_name
from train.data.mixture import Mixture, open_mixture
from train.data.packing import Measure, measure
from train.data.template import Template

LIMIT_OPEN_S = 3.0
LIMIT_PRIVATE_MIB = 300.0
LIMIT_RANDOM_MS = 0.05
IMAGE_TOKENS, MAX_LENGTH = 576, 2048
ENGLISH_SHARE = 1 / 3
SHARD_ROWS = 2000
READS = 20_000

# first letter of the script, how many follow it, characters as against English
SCRIPTS = {
    "en": ("a", 26, 1.0),
    "zh": ("一", 3000, 0.35),
    "fr": ("a", 26, 1.15),
    "es": ("a", 26, 1.1),
    "ru": ("а", 32, 1.1),
    "ja": ("ぁ", 80, 0.43),
    "ar": ("ا", 26, 0.9),
    "hi": ("अ", 50, 1.0),
    "bn": ("অ", 40, 1.0),
    "ur": ("ا", 26, 1.0),
}
TEXT_WORDS = 75_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=2_100_000)
    parser.add_argument("--json-conversations", type=int, default=210_000)
    parser.add_argument("--measured-conversations", type=int, default=60_000)
    parser.add_argument(
        "--tokenizer", type=Path, default=ROOT / "tests/golden/tokenizer", help="a folder"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, start = Path(folder), time.monotonic()
        write_shards(DataPaths(root), chosen.conversations)
        write_list(root / "list.json", chosen.json_conversations)
        made_s = time.monotonic() - start
        built, again = (apart(opened, root) for _ in range(2))
        assert again["conversations"] == chosen.conversations, again
        json_s, json_mib = apart(loaded, root / "list.json")
    with tempfile.TemporaryDirectory() as folder:
        measured = lengths(Path(folder), chosen.measured_conversations, chosen.tokenizer)
    scale = chosen.conversations / chosen.json_conversations
    finish(
        {
            "cores": cores(),
            "conversations": chosen.conversations,
            "open_s": again["open_s"],
            "open_to_limit": round(again["open_s"] / LIMIT_OPEN_S, 3),
            "private_mib": again["private_mib"],
            "private_to_limit": round(again["private_mib"] / LIMIT_PRIVATE_MIB, 3),
            "ratio_to_json": round(json_s * scale / again["open_s"], 1),
            "memory_ratio_to_json": round(json_mib * scale / max(again["private_mib"], 0.1), 1),
            "json_s": round(json_s * scale, 2),
            "json_private_mib": round(json_mib * scale),
            "json_scaled_by": round(scale, 2),
            "random_ms": again["random_ms"],
            "random_to_limit": round(again["random_ms"] / LIMIT_RANDOM_MS, 3),
            "build_s": built["open_s"],
            "build_peak_mib": built["peak_mib"],
            "cache_mib": again["cache_mib"],
            "shards_s": round(made_s, 1),
            **measured,
        }
    )


def open_shards(root: Path) -> Mixture:
    read = Profile.model_construct(
        data_dir=root,
        source=SourceSettings(path=root, images_dir=root / "images"),
        train=TrainSettings.model_construct(),
    )
    return open_mixture(read)


def opened(root: Path) -> dict[str, Any]:
    before, start = private_mib(), time.monotonic()
    mixture = open_shards(root)
    assert mixture[len(mixture) - 1].turns
    open_s, private, peak = time.monotonic() - start, private_mib() - before, peak_rss_mib()
    rng = random.Random(1)
    order = [rng.randrange(len(mixture)) for _ in range(READS)]
    start = time.monotonic()
    chars = sum(len(turn.text) for index in order for turn in mixture[index].turns)
    random_ms = (time.monotonic() - start) / READS * 1000
    assert chars > READS
    return {
        "conversations": len(mixture),
        "open_s": round(open_s, 3),
        "private_mib": round(private, 1),
        "peak_mib": peak,
        "random_ms": round(random_ms, 4),
        "cache_mib": round(mixture.path.stat().st_size / MIB, 1),
    }


def loaded(path: Path) -> tuple[float, float]:
    """Seconds and MiB of what published trainers do: the whole list as Python objects."""
    before, start = private_mib(), time.monotonic()
    with path.open(encoding="utf-8") as file:
        items = json.load(file)
    seconds, private = time.monotonic() - start, private_mib() - before
    assert items[-1]["conversations"]
    return seconds, private


def lengths(root: Path, num_conversations: int, tokenizer_path: Path) -> dict[str, Any]:
    """Conversations a second that get their length, by all cores, starting processes included."""
    from palo.tokenizer import load_tokenizer

    write_shards(DataPaths(root), num_conversations)
    mixture = open_shards(root)
    template = Template(load_tokenizer(str(tokenizer_path)))
    how = Measure(template, IMAGE_TOKENS, MAX_LENGTH, as_captions=False)
    measured_s = timed(lambda: measure(mixture, how))
    start = time.monotonic()
    measured = measure(mixture, how)
    again_s = time.monotonic() - start
    return {
        "lengths_per_s": round(num_conversations / measured_s),
        "tokens_per_s": round(float(measured.tokens.sum()) / measured_s),
        "tokens_each": round(float(measured.tokens.mean())),
        "cut_share": round(sum(part.cut for part in measured.cut.values()) / num_conversations, 4),
        "lengths_again_s": round(again_s, 3),
    }


def counts(num_conversations: int) -> dict[str, int]:
    each = int(num_conversations * (1 - ENGLISH_SHARE) / len(TARGETS))
    return {
        lang: num_conversations - each * len(TARGETS) if lang is ENGLISH else each
        for lang in LANGUAGES
    }


def conversations(lang: str, num_rows: int) -> Iterator[tuple[str, str | None, list[str]]]:
    """(id, image, texts of the turns)."""
    first, num_letters, factor = SCRIPTS[lang]
    letters = "".join(chr(ord(first) + at) for at in range(num_letters))
    prose = Prose(lang, letters, TEXT_WORDS, 8, "" if lang in ("zh", "ja") else " ")
    for number in range(num_rows):
        image = None if number % 16 == 0 else f"coco/train2017/{number:012d}.jpg"
        sizes = SHAPES[prose.rng.choice(MIXTURE)]
        texts = [prose.text(int(size * factor * prose.rng.uniform(0.5, 1.5)) + 2) for size in sizes]
        if image:
            texts[0] = f"<image>\n{texts[0]}"
        yield f"{number:012d}-{number}", image, texts


def write_shards(paths: DataPaths, num_conversations: int) -> None:
    """SOURCE shards of English and REFINED shards of nine languages, all rows kept."""
    for lang, num_rows in counts(num_conversations).items():
        folder = paths.source_dir if lang is ENGLISH else paths.refined(lang)
        folder.mkdir(parents=True)
        rows = conversations(lang, num_rows)
        for index in range(-(-num_rows // SHARD_ROWS)):
            part = list(islice(rows, SHARD_ROWS))
            path = folder / shard_name(index)
            pq.write_table(table(lang, part), path, compression="zstd")
            record = {"inputs": {}, "counts": {}, "digest": digest([lang, index, num_rows])}
            write_json(path.with_suffix(".json"), record)


def table(lang: str, rows: list[tuple[str, str | None, list[str]]]) -> pa.Table:
    """Built by column: a row at a time it would take most of an hour."""
    ids, images, texts = zip(*rows, strict=True)
    starts = pa.array([0, *accumulate(map(len, texts))], pa.int32())
    flat = pa.array([text for turns in texts for text in turns])
    roles = pa.array(["human", "gpt"] * (len(flat) // 2))
    turns = pa.ListArray.from_arrays(
        starts, pa.StructArray.from_arrays([roles, flat], ["role", "text"])
    )
    known = {"sample_id": ids, "source_id": ids, "image": images, "origin": ["llava"] * len(ids)}
    if lang is ENGLISH:
        return pa.table({**known, "turns": turns}).select(schemas.SOURCE.names)
    meta, finding = schemas.REFINED.field("meta").type, schemas.REFINED.field("findings").type
    one_meta = {field.name: None for field in meta.value_type} | {"status": "translated"}
    one_finding = {"filter": "length", "score": 1.0, "verdict": "pass", "reason": ""}

    def repeated(value: Any, kind: pa.DataType) -> pa.Array:
        """A list a conversation, of the value for each of its turns."""
        values = pa.array([value], kind).take(pa.array([0] * len(flat), pa.int32()))
        return pa.ListArray.from_arrays(starts, values)

    columns = {
        **known,
        "lang": [lang] * len(ids),
        "source": turns,
        "target": turns,
        "meta": repeated(one_meta, meta.value_type),
        "findings": repeated([one_finding] * 23, finding.value_type),
        "turn_verdicts": repeated("pass", pa.string()),
        "verdict": ["pass"] * len(ids),
        "kept": [True] * len(ids),
    }
    return pa.table(columns).select(schemas.REFINED.names)


def write_list(path: Path, num_conversations: int) -> None:
    """The same conversations as one LLaVA list, in as many languages."""
    items = [
        {
            "id": sample_id,
            "lang": lang,
            **({"image": image} if image else {}),
            "conversations": [
                {"from": ("human", "gpt")[at % 2], "value": text} for at, text in enumerate(texts)
            ],
        }
        for lang, num_rows in counts(num_conversations).items()
        for sample_id, image, texts in conversations(lang, num_rows)
    ]
    path.write_text(json.dumps(items), encoding="utf-8")


if __name__ == "__main__":
    main()
