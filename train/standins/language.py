"""The stand-in for Vicuna: a tiny Llama taught on text about scenes it never sees.

A description stands where the image tokens will stand: every phrase of it takes one slot, as a
patch takes one token, and is the sum of its words' embeddings. It learns in three steps: riddles,
then conversations in English, then conversations in ten languages. Adapters on an untrained
language model learn badly; on this one they learn well.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from palo.tiny import tiny_llama
from train.data.template import IGNORED, IMAGE_TOKEN, Encoded
from train.scale import StandinLanguageModel
from train.standins.schedule import share
from train.standins.text import TALK_ROUNDS, Reader, Scene, Text, slots
from train.standins.words import start_together

Tick = Callable[[str], None]
# Questions alone, with their few labels, leave the model guessing for thousands of steps: riddles
# first teach it to find the slot with the right words; then English teaches it to be asked, before
# ten languages do (docs/decisions.md).
RIDDLE_SHARE = 0.1  # of the batches after the riddles
CAPTION_SHARE = 0.1  # stage 1 learns no better than the model captions
TALK_SHARE = 0.15  # of the conversations not all in English
ENGLISH_SHARE = 0.2  # of the conversations in ten languages
NOISE = 0.3  # of a usual word's length, in every slot
AGAIN_SHARE = 0.5  # of the learning rate, where ten languages begin
ALIGNED_SCENES = 600  # enough to tell every word by
FEW = {2: 0.3, 3: 0.6}  # things to riddle about, until so much of the riddles is done


@dataclass(frozen=True)
class Batch:
    """(B, L, hidden) embeddings and (B, L) labels, padded on the right; `seen` has the model's
    attention mask and positions where texts have parts."""

    embeddings: torch.Tensor
    labels: torch.Tensor
    seen: dict[str, torch.Tensor]


class SlotEmbedder:
    """Token ids with IMAGE_TOKEN in them -> embeddings with the slots in its place.

    `noise` is added to every slot, empty ones too, in lengths of a usual word: no projector will
    hit the sums exactly, and what is next to nothing is full-sized once it is normalised.
    """

    def __init__(self, model: Any, reader: Reader, noise: float = 0.0, seed: int = 0) -> None:
        self.embed, self.reader, self.noise = model.get_input_embeddings(), reader, noise
        self.generator = torch.Generator().manual_seed(seed)

    def batch(self, texts: Sequence[Text], slot_phrases: Sequence[Sequence[str]]) -> Batch:
        encoded = [text.encoded for text in texts]
        num_slots = len(slot_phrases[0])
        length = max(item.length(num_slots) for item in encoded)
        ids = torch.zeros(len(encoded), length, dtype=torch.long)
        labels = torch.full_like(ids, IGNORED)
        targets, tokens = [], []
        for row, (item, phrases) in enumerate(zip(encoded, slot_phrases, strict=True)):
            place = item.input_ids.index(IMAGE_TOKEN)
            for part, at in ((slice(0, place), 0), (slice(place + 1, None), place + num_slots)):
                values = item.input_ids[part]
                ids[row, at : at + len(values)] = torch.tensor(values)
                labels[row, at : at + len(values)] = torch.tensor(item.labels[part])
            for slot, text in enumerate(phrases):
                phrase = self.reader.phrase_tokens(text)
                targets += [row * length + place + slot] * len(phrase)
                tokens += phrase
        embeddings = self._with_slots(ids, encoded, num_slots, targets, tokens)
        return Batch(embeddings, labels, _seen(texts, num_slots, length))

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
        if self.noise:
            usual = self.embed.weight.detach().norm(dim=1).mean() / flat.shape[1] ** 0.5
            drawn = torch.randn(flat.shape, generator=self.generator)
            flat = flat + is_slot.flatten(0, 1) * self.noise * usual * drawn
        return flat.view_as(embeddings)


def train_language_model(
    settings: StandinLanguageModel, scenes: Sequence[Scene], tokenizer: Any, tick: Tick
) -> Any:
    """A Llama that answers questions about described scenes in ten languages."""
    model = tiny_llama(
        tokenizer,
        settings.hidden_size,
        settings.layers,
        settings.heads,
        seed=settings.seed,
        rope_theta=settings.rope_theta,
    )
    reader = Reader(scenes, tokenizer)
    embedder = SlotEmbedder(model, reader, NOISE, settings.seed)
    optimizers = _optimizers(model, settings)
    schedules = [
        LambdaLR(optimizer, partial(_learning_share, settings)) for optimizer in optimizers
    ]
    parallel = [scene for scene in scenes if scene.is_parallel]
    rng = random.Random(settings.seed)
    for step in range(settings.steps):
        if step == settings.english_steps:
            told = _told(parallel[:ALIGNED_SCENES], reader)
            start_together(model.get_input_embeddings().weight, told, tokenizer)
        if step < settings.riddle_steps:
            batch = _riddles(embedder, settings, scenes, step, rng)
        else:
            in_english = step < settings.english_steps or rng.random() < ENGLISH_SHARE
            chosen = rng.choices(scenes if in_english else parallel, k=settings.batch_size)
            read = _form(reader, in_english, rng)
            phrases = [slots(scene.phrases, settings.slots, rng) for scene in chosen]
            batch = embedder.batch([read(scene) for scene in chosen], phrases)
        loss = answer_loss(model, batch)
        model.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        tick(f"loss {loss.item():.3f}")
    return model.eval()


def _riddles(
    embedder: SlotEmbedder,
    settings: StandinLanguageModel,
    scenes: Sequence[Scene],
    step: int,
    rng: random.Random,
) -> Batch:
    """At first about two things in few slots, then about three: with fewer to choose from, what to
    look for is found sooner. Then about whole descriptions."""
    most = next((most for most, part in FEW.items() if step < part * settings.riddle_steps), None)
    num_slots = max(FEW) if most else settings.slots
    told = []
    for scene in rng.choices(scenes, k=settings.batch_size):
        kept = sorted(
            rng.sample(range(len(scene.phrases)), min(most or num_slots, len(scene.phrases)))
        )
        told.append([scene.phrases[index] for index in kept])
    texts = [embedder.reader.riddles(phrases, rng) for phrases in told]
    return embedder.batch(texts, [slots(phrases, num_slots, rng) for phrases in told])


def _told(scenes: Sequence[Scene], reader: Reader) -> list[dict[str, list[int]]]:
    """The tokens of every question and every answer, by language, as the template has them."""
    return [
        {lang: reader.tokens(before + pair[part]) for lang, pair in one.items()}
        for scene in scenes
        for one in (*scene.questions, *scene.talk[:TALK_ROUNDS])
        for part, before in enumerate(("", " "))
    ]


def _learning_share(settings: StandinLanguageModel, step: int) -> float:
    """Of the learning rate: each part ends low, for what is learned shows only then."""
    if step < settings.english_steps:
        return share(step, settings.english_steps)
    more = settings.steps - settings.english_steps
    return AGAIN_SHARE * share(step - settings.english_steps, more)


def _optimizers(model: Any, settings: StandinLanguageModel) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, where it needs fewer steps, and AdamW for the rest."""
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    chosen = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    return [
        torch.optim.Muon(
            matrices,
            lr=settings.matrix_learning_rate,
            weight_decay=0.0,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(rest, lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _form(reader: Reader, in_english: bool, rng: random.Random) -> Callable[[Scene], Text]:
    """One form of text for a whole batch, so that its sequences are of like length."""
    drawn = rng.random()
    if drawn < RIDDLE_SHARE:
        return lambda scene: reader.riddles(scene.phrases, rng)
    if drawn < RIDDLE_SHARE + CAPTION_SHARE:
        return reader.caption
    if not in_english and rng.random() < TALK_SHARE:
        return lambda scene: reader.talk(scene, rng)
    if in_english:
        return lambda scene: reader.english(scene, rng)
    return lambda scene: reader.conversation(scene, rng)


def _seen(texts: Sequence[Text], num_slots: int, length: int) -> dict[str, torch.Tensor]:
    """What each place sees, and its position: every part counts on from the slots."""
    if not texts[0].parts:
        return {}
    part = torch.zeros(len(texts), length, dtype=torch.long)  # 0: seen by all
    positions = torch.arange(length).repeat(len(texts), 1)
    for row, text in enumerate(texts):
        start = at = text.encoded.input_ids.index(IMAGE_TOKEN) + num_slots
        for number, size in enumerate(text.parts, start=1):
            part[row, at : at + size] = number
            positions[row, at : at + size] = torch.arange(start, start + size)
            at += size
        part[row, at:] = -1  # padding
    together = (part[:, None, :] == part[:, :, None]) | (part[:, None, :] == 0)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return {"attention_mask": (together & causal)[:, None], "position_ids": positions}


def answer_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of the labelled tokens; the head runs on those places only."""
    hidden = model.model(inputs_embeds=batch.embeddings, **batch.seen).last_hidden_state
    learned = batch.labels[:, 1:] != IGNORED
    logits = model.lm_head(hidden[:, :-1][learned])
    return nn.functional.cross_entropy(logits, batch.labels[:, 1:][learned])
