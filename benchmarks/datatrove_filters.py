"""datatrove's LanguageFilter and GopherRepetitionFilter on the rows of benchmarks/filter_speed.py.

    python benchmarks/datatrove_filters.py ROWS.jsonl MODEL PROCESSES

Its blocks as they come, with their defaults: its fastText (numpy 2 build), its word tokenizers a
language (spaCy, jieba, Sudachi, Indic NLP: palo's extra `peers`). In its favour: the model file is
ours, the small one, where it would fetch lid.176.bin; a language whose tokenizer would fetch a
model is parted at white space instead; documents are made from rows in memory, and
nothing is written.
"""

import json
import multiprocessing
import sys
import time
from functools import cache

from datatrove.data import Document
from datatrove.pipeline.filters import GopherRepetitionFilter, LanguageFilter
from datatrove.pipeline.filters import gopher_repetition_filter as gopher
from datatrove.utils.lid import FT176LID
from datatrove.utils.text import split_into_words

BATCH_ROWS = 2048


PLAIN: set[str] = set()  # languages whose tokenizer wants to fetch a model (Stanza's)


def words(text: str, language: str) -> list[str]:
    return text.split() if language in PLAIN else split_into_words(text, language)


gopher.split_into_words = words


@cache
def filters(lang: str, model_path: str) -> tuple[LanguageFilter, GopherRepetitionFilter]:
    try:
        split_into_words("a", lang)
    except Exception:  # whatever the fetching library raises without a network
        PLAIN.add(lang)
    language = LanguageFilter(languages=[lang])
    language.model._model = loaded(model_path)  # one a process, not one a language
    return language, GopherRepetitionFilter(language=lang)


@cache
def loaded(model_path: str) -> object:
    FT176LID.MODEL_URL = model_path  # it copies the file where it would have fetched one
    return FT176LID().model


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
