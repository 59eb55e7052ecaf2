"""Pretrains the stand-in translator: a tiny Llama on grammar text, loss on the answers only.

    palo translator pretrain

It plays the part of a translation LLM in the sample profile. What it reads is mostly careless
text, and it stops while it still makes mistakes: reviewers have something to mend.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import regex
import torch

from palo.engines.stream import Message, chat_text
from palo.errors import MissingResource
from palo.files import digest, file_digest, uptodate, write_json
from palo.hub import damage
from palo.languages import TARGETS
from palo.memory import segment_key
from palo.settings import Context, StandinTranslatorSettings
from sceneworld.standins.tiny import (
    WARMUP_SHARE,
    Tick,
    learn,
    muon_and_adamw,
    tiny_llama,
    train_tokenizer,
)
from train.data.template import IGNORED
from translate.finetune import TrainingPair, make_pair
from translate.job import load_prompt
from translate.segments import NOTHING, Before, cut

_RECORD = "standin.json"
_RULES = "4"  # raise when the same settings and corpus would give another model
_LAST_SHARE = 0.02  # of the learning rate
_LOSS_STEPS = 50
_BUCKET_BATCHES = 16
_START = 0.02  # spread of the first weights: with Muon, wider starts learned more slowly
# A few long pairs from the start: positions never seen would cost all that was learned. Later
# they come more often, for there the order of many things has to be kept.
_LONG_AT_FIRST = 0.1
_LONG_LATER = 2.0
# ASCII punctuation for each script's own, no opening marks, no final stops. Punctuation is the
# first class of error that PALO's reviewers had to correct (arXiv 2402.14818): verified segments
# teach the stand-in the house's style, in every language.
_CARELESS_MARKS = str.maketrans(
    {
        "。": ".", "，": ",", "、": ",", "；": ";", "：": ":", "？": "?", "！": "!",
        "؟": "?", "،": ",", "؛": ";", "۔": ".", "।": ".",
        "¿": "", "¡": "",
    }
)  # fmt: skip
_SPACE_BEFORE_MARK = regex.compile(r"[ \u00a0\u202f](?=[?!:;](?:\s|$))")


@dataclass(frozen=True)
class PretrainingExample:
    """Token ids of prompt and answer; the loss is on `ids[answer_start:]`."""

    ids: list[int]
    answer_start: int


def pretrain(
    settings: StandinTranslatorSettings,
    corpus_path: Path,
    context: Context,
    model_dir: Path,
    tick: Tick = lambda text: None,
) -> bool:
    """Trains and saves the model; False where the one in `model_dir` is up to date."""
    langs = corpus_languages(corpus_path)
    inputs = {
        "corpus": file_digest(corpus_path),
        "settings": digest([_RULES, settings.model_dump(), context]),
        "prompts": digest([load_prompt(lang).version for lang in langs]),
    }
    record_path = model_dir / _RECORD
    if uptodate(record_path, inputs) and damage(model_dir) is None:
        return False
    record_path.unlink(missing_ok=True)
    started = time.monotonic()
    pairs = list(corpus_pairs(corpus_path, langs, context))
    tokenizer = _tokenizer(pairs, langs, settings)
    model: Any = tiny_llama(
        tokenizer,
        settings.hidden_size,
        settings.layers,
        settings.heads,
        seed=settings.seed,
        initializer_range=_START,
    )
    read = [_careless(pair, settings.careless_share) for pair in pairs]
    loss = _train(model, tokenizer, read, settings, tick)
    model.save_pretrained(model_dir)
    tokenizer.save_pretrained(model_dir)
    seconds = round(time.monotonic() - started, 1)
    write_json(record_path, {"inputs": inputs, "pairs": len(pairs), "loss": loss, "s": seconds})
    return True


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows {"context", "en", "zh", ...} of a corpus."""
    if not path.is_file():
        raise MissingResource(f"No corpus {path}. Run `palo sample build` first.")
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def corpus_languages(path: Path) -> tuple[str, ...]:
    """The targets that the first row of a corpus has, in the order of the table of languages."""
    row = next(_rows(path), {})
    return tuple(str(lang) for lang in TARGETS if lang in row)


def corpus_pairs(path: Path, langs: Iterable[str], context: Context) -> Iterator[TrainingPair]:
    """Pairs of a corpus, row by row, without doubles."""
    seen: set[bytes] = set()
    for row in _rows(path):
        cut_out = cut(row["en"], NOTHING if context is Context.NONE else Before(row["context"]))
        key = segment_key(row["en"], cut_out.before.english)
        if key in seen:
            continue
        seen.add(key)
        for lang in langs:
            if pair := make_pair(lang, cut_out, row[lang]):
                yield pair


def _careless(pair: TrainingPair, share: float) -> TrainingPair:
    """The share is that of English segments, by their key: all languages fall together."""
    if int.from_bytes(pair.key[-4:], "big") >= share * 2**32:
        return pair
    return replace(pair, target=rough(pair.target))


def rough(text: str) -> str:
    """Text as careless as much of the web: spans stay, marks change; empty only without letters."""
    plain = _SPACE_BEFORE_MARK.sub("", text.translate(_CARELESS_MARKS))
    return plain[:-1] if plain.endswith(".") and len(plain) > 1 else plain


def _tokenizer(
    pairs: Sequence[TrainingPair], langs: Sequence[str], settings: StandinTranslatorSettings
) -> Any:
    """BPE on the corpus; the fixed parts of the prompts are one token each, so prompts are short.
    Trained on a part: the grammar repeats its words soon, and time counts in a demo."""
    fixed = [part for lang in langs for part in load_prompt(lang).fixed_parts]
    sampled = random.Random(settings.seed).sample(pairs, min(len(pairs), 20_000))
    texts = (text for pair in sampled for text in (pair.text, pair.target))
    return train_tokenizer(texts, settings.vocab_size, list(dict.fromkeys(fixed)))


def _train(
    model: Any,
    tokenizer: Any,
    pairs: Sequence[TrainingPair],
    settings: StandinTranslatorSettings,
    tick: Tick,
) -> float:
    """Warm-up, then linear decay; returns the mean loss of the last steps."""
    warmup = max(1, int(settings.steps * WARMUP_SHARE))

    def share(step: int) -> float:
        return min((step + 1) / warmup, max(_LAST_SHARE, 1 - step / settings.steps))

    # Matrices this small gain little from a second thread, and lose much where cores are shared:
    # threads that wait for each other spin. Measured on 2 busy cores: 0.13 s a step against 1.1 s.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    optimizers = muon_and_adamw(model, settings.matrix_learning_rate, settings.learning_rate)
    model.train()
    batches = _batches(pairs, tokenizer, settings)
    losses = (answer_loss(model, batch, tokenizer.pad_token_id) for batch in batches)
    last = learn(model.parameters(), optimizers, share, losses, tick)[-_LOSS_STEPS:]
    torch.set_num_threads(threads)
    model.eval()
    return sum(last) / max(1, len(last))


def _batches(
    pairs: Sequence[TrainingPair], tokenizer: Any, settings: StandinTranslatorSettings
) -> Iterator[list[PretrainingExample]]:
    """`steps` batches, mostly of short pairs at first; the seed decides which."""
    made = examples(pairs, tokenizer)
    rng = random.Random(settings.seed)
    # Weights even out, by the square root, how often sentences begin in the same way.
    begins = [(*pair.text.split()[:2], "|", *pair.before.english.split()[:2]) for pair in pairs]
    counts = Counter(begins)
    num_first = int(settings.steps * settings.short_share)
    for factor, steps in ((_LONG_AT_FIRST, num_first), (_LONG_LATER, settings.steps - num_first)):
        weights = [
            counts[begin] ** -0.5 * (factor if len(example.ids) > settings.short_tokens else 1)
            for begin, example in zip(begins, made, strict=True)
        ]
        yield from islice(_drawn(made, weights, settings.batch_size, rng), steps)


def _drawn(
    pool: Sequence[PretrainingExample], weights: Sequence[float], size: int, rng: random.Random
) -> Iterator[list[PretrainingExample]]:
    """Batches of like length, without end, drawn by weight."""
    cumulative = list(accumulate(weights))
    while True:
        window = rng.choices(pool, cum_weights=cumulative, k=size * _BUCKET_BATCHES)
        window.sort(key=lambda example: len(example.ids))
        batches = [window[at : at + size] for at in range(0, len(window), size)]
        rng.shuffle(batches)
        yield from batches


def examples(pairs: Sequence[TrainingPair], tokenizer: Any) -> list[PretrainingExample]:
    """The pairs under the chat template; all at once, because one by one takes twice as long."""
    prompts = [chat_text(tokenizer, (Message("user", pair.prompt),)) for pair in pairs]
    answers = [pair.target + tokenizer.eos_token for pair in pairs]
    prompt_ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    answer_ids = tokenizer(answers, add_special_tokens=False)["input_ids"]
    return [
        PretrainingExample(before + after, len(before))
        for before, after in zip(prompt_ids, answer_ids, strict=True)
    ]


def answer_loss(model: Any, batch: Sequence[PretrainingExample], pad_id: int) -> Any:
    """Mean cross-entropy of the answer tokens; only they are put through the output layer."""
    width = max(len(example.ids) for example in batch)
    ids = torch.full((len(batch), width), pad_id)
    labels = torch.full((len(batch), width), IGNORED)
    for row, example in enumerate(batch):
        ids[row, : len(example.ids)] = torch.tensor(example.ids)
        answer = torch.tensor(example.ids[example.answer_start :])
        labels[row, example.answer_start - 1 : len(example.ids) - 1] = answer  # what comes next
    # rows are padded on the right and attention looks back only, so no mask is needed
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    chosen = labels != IGNORED
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[chosen]), labels[chosen])
