"""The stand-in for Vicuna: a tiny Llama taught on text about scenes it never sees.

A description stands where the image tokens will stand: every phrase of it takes one slot, as a
patch takes one token, and is the sum of its words' embeddings. It learns in three steps: riddles,
then conversations in English, then conversations in ten languages. Adapters on an untrained
language model learn badly; on this one they learn well.

Texts of a batch that begin alike are in one row: what they share is computed once, and nothing is
padding. Every conversation begins with the system sentence, and riddles of one description with its
slots. A branch is the way through the row that one text reads, from the beginning to its own end.
Only attention sees branches side by side. Outputs and gradients are those of texts one by one.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from sceneworld.standins.alignment import start_together
from sceneworld.standins.text import TALK_ROUNDS, DescribedScene, Reader, Text, slots
from sceneworld.standins.tiny import Tick, learn, muon_and_adamw, tiny_llama, warmup_cosine
from train.data.template import IGNORED, IMAGE_TOKEN
from train.scale import StandinLanguageModel

ATTENTION = "branches"
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
class Branches:
    """B branches, none longer than L, through a row of N places."""

    ways: torch.Tensor  # (B * L,) places in the row; past a branch's end, any
    shape: tuple[int, int]  # B, L
    read_at: torch.Tensor  # (N,) of each place, where in `ways` it comes: the first branch has it
    positions: torch.Tensor  # (1, N) of each place in its branch


def branches_of(ways: Sequence[Sequence[int]], num_places: int) -> Branches:
    """Every place must be in some way, at the same position in all that it is in."""
    length = max(map(len, ways))
    laid = torch.zeros(len(ways), length, dtype=torch.long)
    for branch, way in enumerate(ways):
        laid[branch, : len(way)] = torch.tensor(way)
    read_at = torch.zeros(num_places, dtype=torch.long)
    for branch in range(len(ways) - 1, -1, -1):
        read_at[ways[branch]] = torch.arange(len(ways[branch])) + branch * length
    return Branches(laid.flatten(), (len(ways), length), read_at, (read_at % length)[None])


def branch_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    branches: Branches | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """(1, heads, N, size) each -> (1, N, heads, size)."""
    assert attention_mask is None, "a row of branches has no mask"
    assert branches is not None, "a row must say its branches"
    heads, size = query.shape[1], query.shape[3]

    def laid_out(tensor: torch.Tensor) -> torch.Tensor:
        places = tensor[0].transpose(0, 1).flatten(1)
        chosen = places.index_select(0, branches.ways)
        return chosen.view(*branches.shape, heads, size).transpose(1, 2)

    out = scaled_dot_product_attention(
        laid_out(query), laid_out(key), laid_out(value), scale=scaling, is_causal=True
    )
    flat = out.transpose(1, 2).flatten(0, 1).flatten(1)
    return flat.index_select(0, branches.read_at).view(1, -1, heads, size), None


AttentionInterface.register(ATTENTION, branch_attention)


@dataclass(frozen=True)
class Batch:
    """A row of N places: their embeddings, and the S places whose next token is learned."""

    embeddings: torch.Tensor  # (1, N, hidden)
    branches: Branches
    supervised: torch.Tensor  # (S,)
    targets: torch.Tensor  # (S,)


class SlotEmbedder:
    """Token ids with IMAGE_TOKEN in them -> a row of embeddings with the slots in its place.

    `noise` is added to every slot, empty ones too, in lengths of a usual word: no projector will
    hit the sums exactly, and what is next to nothing is full-sized once it is normalised.
    """

    def __init__(self, model: Any, reader: Reader, noise: float = 0.0, seed: int = 0) -> None:
        self.embed, self.reader, self.noise = model.get_input_embeddings(), reader, noise
        self.generator = torch.Generator().manual_seed(seed)

    def batch(self, texts: Sequence[Text], slot_phrases: Sequence[Sequence[str]]) -> Batch:
        """Texts in a row; what is before their slots is there once for all that begin so."""
        row = _RowOfTexts()
        for text, phrases in zip(texts, slot_phrases, strict=True):
            row.add(text, [self.reader.phrase_tokens(phrase) for phrase in phrases])
        ids = torch.tensor(row.ids)
        slots_at = torch.tensor(row.slots)
        embeddings = self.embed(ids)
        filled = embeddings.new_zeros(len(slots_at), embeddings.shape[1])
        filled = filled.index_add(0, torch.tensor(row.filled), self.embed(torch.tensor(row.words)))
        if self.noise:
            usual = self.embed.weight.detach().norm(dim=1).mean() / filled.shape[1] ** 0.5
            filled = filled + self.noise * usual * torch.randn(
                filled.shape, generator=self.generator
            )
        return Batch(
            embeddings.index_copy(0, slots_at, filled)[None],
            branches_of(row.ways, len(row.ids)),
            torch.tensor(row.supervised),
            torch.tensor(row.targets),
        )


class _RowOfTexts:
    """Places of a row as texts are added to it."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.ways: list[list[int]] = []
        self.slots: list[int] = []  # places,
        self.filled: list[int] = []  # and for each word in a slot, which of them
        self.words: list[int] = []
        self.supervised: list[int] = []
        self.targets: list[int] = []
        self._heads: dict[tuple[int, ...], list[int]] = {}

    def add(self, text: Text, slot_tokens: Sequence[Sequence[int]]) -> None:
        ids, labels = text.encoded.input_ids, text.encoded.labels
        image = ids.index(IMAGE_TOKEN)
        head = ids[:image]
        if head not in self._heads:
            self._heads[head] = self._places(head)
        seen_by_all = self._heads[head] + self._places([0] * len(slot_tokens))
        for number, words in enumerate(slot_tokens):
            self.filled += [len(self.slots) + number] * len(words)
            self.words += words
        self.slots += seen_by_all[len(head) :]
        start = image + 1
        for size in text.parts or (len(ids) - start,):
            part = slice(start, start + size)
            way = seen_by_all + self._places(ids[part])
            for place, label in enumerate(labels[part], start=len(seen_by_all)):
                if label != IGNORED:
                    self.supervised.append(way[place - 1])
                    self.targets.append(label)
            self.ways.append(way)
            start += size

    def _places(self, ids: Sequence[int]) -> list[int]:
        start = len(self.ids)
        self.ids += ids
        return list(range(start, start + len(ids)))


def train_language_model(
    settings: StandinLanguageModel, scenes: Sequence[DescribedScene], tokenizer: Any, tick: Tick
) -> Any:
    """A Llama that answers questions about described scenes in ten languages."""
    model: Any = tiny_llama(
        tokenizer,
        settings.hidden_size,
        settings.layers,
        settings.heads,
        seed=settings.seed,
        rope_theta=settings.rope_theta,
    )
    model.set_attn_implementation(ATTENTION)
    reader = Reader(scenes, tokenizer)
    embedder = SlotEmbedder(model, reader, NOISE, settings.seed)
    rates = (settings.matrix_learning_rate, settings.learning_rate)
    optimizers = muon_and_adamw(model, *rates, adjust_lr_fn="match_rms_adamw")
    parallel = [scene for scene in scenes if scene.is_parallel]
    rng = random.Random(settings.seed)

    def losses() -> Iterator[torch.Tensor]:
        for step in range(settings.steps):
            if step == settings.english_steps:
                # Every word of theirs starts beside the English words that it renders.
                told = _told(parallel[:ALIGNED_SCENES], reader)
                start_together(model.get_input_embeddings().weight, told, reader.tokenizer)
            if step < settings.riddle_steps:
                yield answer_loss(model, _riddles(embedder, settings, scenes, step, rng))
                continue
            in_english = step < settings.english_steps or rng.random() < ENGLISH_SHARE
            chosen = rng.choices(scenes if in_english else parallel, k=settings.batch_size)
            read = _form(reader, in_english, rng)
            phrases = [slots(scene.phrases, settings.slots, rng) for scene in chosen]
            yield answer_loss(model, embedder.batch([read(scene) for scene in chosen], phrases))

    learn(model.parameters(), optimizers, partial(_learning_share, settings), losses(), tick)
    model.set_attn_implementation("sdpa")
    return model.eval()


def _riddles(
    embedder: SlotEmbedder,
    settings: StandinLanguageModel,
    scenes: Sequence[DescribedScene],
    step: int,
    rng: random.Random,
) -> Batch:
    """At first about two things in few slots, then about three: with fewer to choose from, what to
    look for is found sooner. Then about whole descriptions."""
    most = next((most for most, part in FEW.items() if step < part * settings.riddle_steps), None)
    num_slots = max(FEW) if most else settings.slots
    told = []
    for scene in rng.choices(scenes, k=settings.batch_size):
        num_kept = min(most or num_slots, len(scene.phrases))
        kept = sorted(rng.sample(range(len(scene.phrases)), num_kept))
        told.append([scene.phrases[index] for index in kept])
    texts = [embedder.reader.riddles(phrases, rng) for phrases in told]
    return embedder.batch(texts, [slots(phrases, num_slots, rng) for phrases in told])


def _told(scenes: Sequence[DescribedScene], reader: Reader) -> list[dict[str, list[int]]]:
    """The tokens of every question and every answer, by language, as the template has them."""
    return [
        {lang: reader.tokens(before + pair[part]) for lang, pair in exchange.items()}
        for scene in scenes
        for exchange in (*scene.questions, *scene.talk[:TALK_ROUNDS])
        for part, before in enumerate(("", " "))
    ]


def _learning_share(settings: StandinLanguageModel, step: int) -> float:
    """Of the learning rate: each part ends low, for what is learned shows only then."""
    if step < settings.english_steps:
        return warmup_cosine(step, settings.english_steps)
    more = settings.steps - settings.english_steps
    return AGAIN_SHARE * warmup_cosine(step - settings.english_steps, more)


def _form(reader: Reader, in_english: bool, rng: random.Random) -> Callable[[DescribedScene], Text]:
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


def answer_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of the labelled tokens; the head runs on those places only."""
    hidden = model.model(
        inputs_embeds=batch.embeddings,
        position_ids=batch.branches.positions,
        use_cache=False,
        branches=batch.branches,
    ).last_hidden_state[0]
    logits = model.lm_head(hidden.index_select(0, batch.supervised))
    return nn.functional.cross_entropy(logits, batch.targets)
