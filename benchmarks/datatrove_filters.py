"""Segments a second of datatrove's LanguageFilter and GopherRepetitionFilter, for filter_speed.py.

    <a Python with datatrove> -m benchmarks.datatrove_filters ROWS.jsonl MODEL.ftz PROCESSES

That Python need not have palo, so nothing of it is imported here. A line of the rows is one batch:
the language and its texts. The blocks have their defaults: fastText (numpy 2 build), spaCy, jieba,
Sudachi and Indic NLP for words. In their favour: the model is the small one that is given, not
lid.176.bin; a language whose tokenizer would fetch a model is parted at white space instead.
"""

import json
import multiprocessing
import sys
import time
from functools import cache, partial
from pathlib import Path
from typing import Any

WITHOUT_TOKENIZER: set[str] = set()  # languages whose tokenizer wants to fetch a model (Stanza's)


def main() -> None:
    rows_path, model_path, processes = sys.argv[1:]
    batches = [json.loads(line) for line in Path(rows_path).read_text("utf-8").splitlines()]
    start = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(int(processes)) as pool:
        for _ in pool.imap(partial(judge, model_path), batches):
            continue
    print(sum(len(texts) for _, texts in batches) / (time.monotonic() - start))


def judge(model_path: str, batch: tuple[str, list[str]]) -> None:
    from datatrove.data import Document

    lang, texts = batch
    language, repetition = filters_of(lang, model_path)
    for text in texts:
        document = Document(text=text, id="0")
        if language.filter(document) is True:  # a pipeline hands on what is kept
            repetition.filter(document)


@cache
def filters_of(lang: str, model_path: str) -> tuple[Any, Any]:
    from datatrove.pipeline.filters import GopherRepetitionFilter, LanguageFilter
    from datatrove.pipeline.filters import gopher_repetition_filter as gopher
    from datatrove.utils.text import split_into_words

    try:
        split_into_words("a", lang)
    except Exception:  # whatever the fetching library raises without a network
        WITHOUT_TOKENIZER.add(lang)
    gopher.split_into_words = lambda text, language: (
        text.split() if language in WITHOUT_TOKENIZER else split_into_words(text, language)
    )
    language = LanguageFilter(languages=[lang])
    language.model._model = language_model(model_path)
    return language, GopherRepetitionFilter(language=lang)


@cache
def language_model(path: str) -> object:
    """One a process, not one a language."""
    from datatrove.utils.lid import FT176LID

    FT176LID.MODEL_URL = path  # copied where it would have fetched one
    return FT176LID().model


if __name__ == "__main__":
    main()
