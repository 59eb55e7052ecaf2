"""datatrove's LanguageFilter and GopherRepetitionFilter on the rows of benchmarks/refine.py.

    python benchmarks/datatrove_filters.py ROWS.jsonl MODEL PROCESSES

On terms that favour it: the same fastText model as ours (it would fetch the larger lid.176.bin),
words parted at white space in place of its tokenizers a language, documents made from lists in
memory, and nothing written. Its own defaults otherwise. Prints one JSON object last.
"""

import json
import multiprocessing
import sys
import time
from functools import cache
from typing import Any

import fasttext
import numpy as np
from datatrove.data import Document
from datatrove.pipeline.filters import GopherRepetitionFilter, LanguageFilter
from datatrove.pipeline.filters import gopher_repetition_filter as gopher

BATCH_ROWS = 2048
LanguageFilter._requires_dependencies = []  # it asks for another build of fastText by its name
gopher.split_into_words = lambda text, language: text.split()


class Model:
    """fastText as datatrove's code wants it: scores are numpy numbers."""

    def __init__(self, path: str) -> None:
        self._model = fasttext.load_model(path)

    def predict(self, text: str, k: int) -> tuple[Any, Any]:
        labels, scores = self._model.predict(text, k=k)
        return labels, np.asarray(scores)


@cache
def filters(lang: str, model_path: str) -> tuple[LanguageFilter, GopherRepetitionFilter]:
    language = LanguageFilter(languages=[lang])
    language.model._model = model(model_path)
    return language, GopherRepetitionFilter(language=lang)


@cache
def model(path: str) -> Model:
    return Model(path)


def kept(work: tuple[str, list[dict[str, str]]]) -> int:
    model_path, rows = work
    count = 0
    for row in rows:
        document = Document(text=row["text"], id="0")
        language, repetition = filters(row["lang"], model_path)
        count += language.filter(document) is True and repetition.filter(document) is True
    return count


def main(rows_path: str, model_path: str, processes: int) -> None:
    with open(rows_path, encoding="utf-8") as file:  # noqa: PTH123
        rows = [json.loads(line) for line in file]
    parts = [(model_path, rows[at : at + BATCH_ROWS]) for at in range(0, len(rows), BATCH_ROWS)]
    start = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        num_kept = sum(pool.imap(kept, parts))
    seconds = time.monotonic() - start
    print(json.dumps({"segments_per_s": len(rows) / seconds, "kept": num_kept / len(rows)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
