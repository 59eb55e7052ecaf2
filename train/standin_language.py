"""The stand-in for Vicuna: a tiny Llama taught on text about scenes it never sees.

A description stands where the image tokens will stand: every phrase of it takes one place, as a
patch does, and is the sum of its tokens' embeddings. Then come questions and answers in ten
languages. Adapters on an untrained language model learn badly; on this one they learn well.
"""

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from palo.schemas import IMAGE_TAG, Role, Turn
from palo.tiny import tiny_llama, train_tokenizer
from train.scale import StandinLanguageModel
from train.schedule import warmup_cosine
from train.template import IGNORED, IMAGE_TOKEN, SYSTEM, Encoded, Template

Tick = Callable[[str], None]
ROUNDS = 8  # of one sequence: many short answers share one description
# Retelling a description (every word of it a label) teaches to read one within 200 steps; from
# questions alone, with their few labels, that takes thousands (measured: 30% right after 1,400).
RETELLING_SHARE = 0.25  # of the steps, the first ones: descriptions are only retold
CAPTION_SHARE = 0.2  # of the sequences afterwards


@dataclass(frozen=True)
class Scene:
    """A description, and the questions it answers as (question, answer)."""

    caption: str
    questions: tuple[tuple[str, str], ...]


def group_scenes(rows: Sequence[dict[str, str]]) -> list[Scene]:
    """Rows {caption, question, answer} by caption, in order of appearance."""
    questions: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        questions[row["caption"]].append((row["question"], row["answer"]))
    return [Scene(caption, tuple(pairs)) for caption, pairs in questions.items()]


def make_tokenizer(scenes: Sequence[Scene], vocab_size: int) -> Any:
    # Every sequence opens with the system sentence: its words must be tokens of their own.
    texts = [f"{SYSTEM} USER: ASSISTANT:"] * len(scenes)
    for scene in scenes:
        texts.append(scene.caption)
        texts += [f"{question} {answer}" for question, answer in scene.questions]
    return train_tokenizer(texts, vocab_size, extra_special=(IMAGE_TAG,))


def slots(caption: str, num_slots: int, rng: random.Random) -> list[str]:
    """The phrases of a caption, in order, at random places among empty ones.

    A phrase that names a corner stays in that quarter of the (square) grid of slots.
    """
    phrases = [part.strip() for part in caption.rstrip(".").split(",")]
    side = round(num_slots**0.5)
    for _ in range(100):
        places = [_place(phrase, side, rng) for phrase in phrases]
        if all(one < next_ for one, next_ in itertools.pairwise(places)):
            break
    else:
        places = sorted(rng.sample(range(num_slots), len(phrases)))
    filled = dict(zip(places, phrases, strict=True))
    return [filled.get(place, "") for place in range(num_slots)]


def _place(phrase: str, side: int, rng: random.Random) -> int:
    words = set(phrase.split())
    half = side // 2
    rows = range(half) if "top" in words else range(half, side)
    columns = range(half) if "left" in words else range(half, side)
    return rng.choice(rows) * side + rng.choice(columns)


class SlotEmbedder:
    """Token ids with IMAGE_TOKEN in them -> embeddings with the slots in its place."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.embed = model.get_input_embeddings()
        self.tokenizer = tokenizer
        self._ids: dict[str, list[int]] = {"": []}

    def phrase_ids(self, phrase: str) -> list[int]:
        if phrase not in self._ids:
            lower = f" {phrase[0].lower()}{phrase[1:]}"
            self._ids[phrase] = self.tokenizer(lower, add_special_tokens=False).input_ids
        return self._ids[phrase]

    def batch(
        self, encoded: Sequence[Encoded], slot_texts: Sequence[Sequence[str]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, L, hidden) embeddings and (B, L) labels, padded on the right."""
        num_slots = len(slot_texts[0])
        length = max(item.length(num_slots) for item in encoded)
        ids = torch.zeros(len(encoded), length, dtype=torch.long)
        labels = torch.full_like(ids, IGNORED)
        targets, tokens = [], []
        for row, (item, texts) in enumerate(zip(encoded, slot_texts, strict=True)):
            place = item.input_ids.index(IMAGE_TOKEN)
            for part, at in ((slice(0, place), 0), (slice(place + 1, None), place + num_slots)):
                values = item.input_ids[part]
                ids[row, at : at + len(values)] = torch.tensor(values)
                labels[row, at : at + len(values)] = torch.tensor(item.labels[part])
            for slot, text in enumerate(texts):
                phrase = self.phrase_ids(text)
                targets += [row * length + place + slot] * len(phrase)
                tokens += phrase
        return self._with_slots(ids, encoded, num_slots, targets, tokens), labels

    def _with_slots(
        self,
        ids: torch.Tensor,
        encoded: Sequence[Encoded],
        num_slots: int,
        targets: Sequence[int],
        tokens: Sequence[int],
    ) -> torch.Tensor:
        embeddings = self.embed(ids)
        is_slot = torch.zeros(*ids.shape, 1)
        for row, item in enumerate(encoded):
            place = item.input_ids.index(IMAGE_TOKEN)
            is_slot[row, place : place + num_slots] = 1.0
        flat = (embeddings * (1.0 - is_slot)).flatten(0, 1)
        flat = flat.index_add(0, torch.tensor(targets), self.embed(torch.tensor(tokens)))
        return flat.view_as(embeddings)


def train_language_model(
    settings: StandinLanguageModel,
    scenes: Sequence[Scene],
    tokenizer: Any,
    tick: Tick,
) -> Any:
    """A Llama that answers questions about described scenes and retells descriptions."""
    model = tiny_llama(
        tokenizer, settings.hidden_size, settings.layers, settings.heads, seed=settings.seed
    )
    template, embedder = Template(tokenizer), SlotEmbedder(model, tokenizer)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = warmup_cosine(optimizer, settings.steps)
    rng = random.Random(settings.seed)
    for step in range(settings.steps):
        share = 1.0 if step < RETELLING_SHARE * settings.steps else CAPTION_SHARE
        chosen = [rng.choice(scenes) for _ in range(settings.batch_size)]
        encoded = [_sequence(scene, template, rng, share) for scene in chosen]
        texts = [slots(scene.caption, settings.slots, rng) for scene in chosen]
        embeddings, labels = embedder.batch(encoded, texts)
        loss = answer_loss(model, embeddings, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        tick(f"loss {loss.item():.3f}")
    return model.eval()


def _sequence(
    scene: Scene, template: Template, rng: random.Random, caption_share: float
) -> Encoded:
    if rng.random() < caption_share:
        return template.caption(scene.caption)
    pairs = rng.sample(scene.questions, min(ROUNDS, len(scene.questions)))
    turns = []
    for index, (question, answer) in enumerate(pairs):
        asked = f"{IMAGE_TAG}\n{question}" if index == 0 else question
        turns += [Turn(Role.HUMAN, asked), Turn(Role.GPT, answer)]
    return template.encode(turns, has_image=True)


def answer_loss(model: Any, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the labelled tokens; the head runs on those places only."""
    hidden = model.model(inputs_embeds=embeddings).last_hidden_state
    learned = labels[:, 1:] != IGNORED
    logits = model.lm_head(hidden[:, :-1][learned])
    return nn.functional.cross_entropy(logits, labels[:, 1:][learned])
