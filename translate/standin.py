"""Pretrains the stand-in translator: a tiny Llama on grammar text, loss on the answers only.

    palo translator pretrain

It plays the part of a translation LLM in the sample profile. Pretraining stops while it still
makes mistakes: the fine-tune on verified segments has to have something to mend.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palo.engines.chat import prompt_ids
from palo.engines.stream import Message
from palo.languages import TARGETS
from palo.settings.translate import Context, StandinTranslatorSettings
from palo.shards import digest, file_digest, read_json, write_json
from palo.tiny import tiny_llama, train_tokenizer
from translate.pairs import Pair, corpus_pairs
from translate.prompt import load_prompt

_RECORD = "standin.json"
_RULES = "1"  # raise when the same settings and corpus would give another model
_WARMUP_SHARE = 0.05
_IGNORED = -100
_BUCKET_BATCHES = 16

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class Example:
    """Token ids of prompt and answer; the loss is on `ids[answer_start:]`."""

    ids: list[int]
    answer_start: int


def pretrain(
    settings: StandinTranslatorSettings,
    corpus_path: Path,
    context: Context,
    model_dir: Path,
    report: Report = lambda step, loss: None,
) -> bool:
    """Trains and saves the model; False where the one in `model_dir` is up to date."""
    inputs = {
        "corpus": file_digest(corpus_path) if corpus_path.is_file() else "",
        "settings": digest([_RULES, settings.model_dump(), context]),
        "prompts": digest([load_prompt(lang).version for lang in TARGETS]),
    }
    record_path = model_dir / _RECORD
    if record_path.is_file() and read_json(record_path)["inputs"] == inputs:
        return False
    record_path.unlink(missing_ok=True)
    started = time.monotonic()
    pairs = list(corpus_pairs(corpus_path, TARGETS, context))
    tokenizer = _tokenizer(pairs, settings)
    model: Any = tiny_llama(
        tokenizer, settings.hidden_size, settings.layers, settings.heads, seed=settings.seed
    )
    loss = _train(model, tokenizer, pairs, settings, report)
    model.save_pretrained(model_dir)
    tokenizer.save_pretrained(model_dir)
    seconds = round(time.monotonic() - started, 1)
    write_json(record_path, {"inputs": inputs, "pairs": len(pairs), "loss": loss, "s": seconds})
    return True


def _tokenizer(pairs: Sequence[Pair], settings: StandinTranslatorSettings) -> Any:
    """BPE on the corpus; the fixed parts of the prompts are one token each, so prompts are short.

    Trained on a part: the grammar repeats its words soon, and time counts in a demo.
    """
    fixed = [part for lang in TARGETS for part in load_prompt(lang).fixed_parts]
    sampled = random.Random(settings.seed).sample(pairs, min(len(pairs), 20_000))
    texts = (text for pair in sampled for text in (pair.text, pair.target))
    return train_tokenizer(texts, settings.vocab_size, list(dict.fromkeys(fixed)))


def _train(
    model: Any,
    tokenizer: Any,
    pairs: Sequence[Pair],
    settings: StandinTranslatorSettings,
    report: Report,
) -> float:
    """AdamW with warm-up and linear decay; returns the last loss."""
    import torch

    torch.manual_seed(settings.seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    warmup = max(1, int(settings.steps * _WARMUP_SHARE))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warmup, max(0.02, 1 - step / settings.steps)),
    )
    model.train()
    value = 0.0
    batches = _batches(pairs, tokenizer, settings)
    for step in range(settings.steps):
        loss = answer_loss(model, next(batches), tokenizer.pad_token_id)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        value = float(loss.detach())
        report(step + 1, value)
    model.eval()
    return value


def _batches(
    pairs: Sequence[Pair], tokenizer: Any, settings: StandinTranslatorSettings
) -> Iterator[list[Example]]:
    """Endless batches of like length, in an order that the seed decides."""
    rng = random.Random(settings.seed)
    order = list(range(len(pairs)))
    size = settings.batch_size * _BUCKET_BATCHES
    while True:
        rng.shuffle(order)
        for start in range(0, len(order) - settings.batch_size + 1, size):
            examples = [example(pairs[at], tokenizer) for at in order[start : start + size]]
            examples.sort(key=lambda one: len(one.ids))
            batches = [
                examples[at : at + settings.batch_size]
                for at in range(0, len(examples), settings.batch_size)
            ]
            rng.shuffle(batches)
            yield from batches


def example(pair: Pair, tokenizer: Any) -> Example:
    prompt = prompt_ids(tokenizer, (Message("user", pair.prompt),))
    answer = tokenizer(pair.target + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
    return Example(prompt + answer, len(prompt))


def answer_loss(model: Any, batch: Sequence[Example], pad_id: int) -> Any:
    """Mean cross-entropy of the answer tokens; only they are put through the output layer."""
    import torch

    width = max(len(one.ids) for one in batch)
    ids = torch.full((len(batch), width), pad_id)
    labels = torch.full((len(batch), width), _IGNORED)
    for row, one in enumerate(batch):
        ids[row, : len(one.ids)] = torch.tensor(one.ids)
        answer = torch.tensor(one.ids[one.answer_start :])
        labels[row, one.answer_start - 1 : len(one.ids) - 1] = answer  # what comes next
    # rows are padded on the right and attention looks back only, so no mask is needed
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    chosen = labels != _IGNORED
    logits = model.lm_head(hidden[chosen])
    return torch.nn.functional.cross_entropy(logits, labels[chosen])
