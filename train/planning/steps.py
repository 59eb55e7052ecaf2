"""What a stage learns from and in how many steps: exact where its data are here.

Tokens are measured with the real tokenizer (train/data/lengths.py) where it is on this machine;
else they are assumed, and said to be. The rows' filling is that of steps drawn evenly from the plan
that training follows.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from palo.settings import MixtureWeights
from train.data.lengths import Lengths
from train.data.mixture import Mixture
from train.data.packing import StepPlan, steps_per_epoch
from train.data.selection import draw, expected_counts, shares
from train.model.sizes import Sizes
from train.planning.memory import SUPERVISED_SHARE
from train.scale import Stage, StageName

LOOKED_AT = 100  # steps whose rows are packed
# Assumed where nothing is measured: a caption of CC3M, and a conversation in ten languages, most of
# whose scripts Vicuna's tokenizer cuts into characters or bytes.
ASSUMED_TEXT = {StageName.STAGE1: 24, StageName.STAGE2: 700}
# As published: LLaVA-CC3M-Pretrain-595K; the 665K mix, and LLaVA-Instruct-150K in nine languages.
PUBLISHED = {StageName.STAGE1: 595_375, StageName.STAGE2: 665_298 + 9 * 157_712}
PUBLISHED_TEXT_ONLY = 40_688  # of the 665K mix: ShareGPT


@dataclass(frozen=True)
class LanguagePlan:
    """One language's part of an epoch; None: not known without the tokenizer."""

    lang: str
    conversations: int
    weight: float | None  # None where a temperature decides
    drawn: int
    share: float
    tokens: int | None
    cut: int | None
    unusable: int | None


@dataclass(frozen=True)
class StagePlan:
    """Sums are over all steps; a step's are means. None: not known without data."""

    stage: StageName
    conversations: int  # an epoch
    steps: int
    warmup_steps: int
    tokens: int
    images: int
    supervised: int
    is_published: bool  # the data are not here: sizes as published
    is_measured: bool  # tokens by the real tokenizer
    tokens_a_step: int
    rows_a_step: float | None  # of one device
    padding_share: float | None
    idle_share: float | None
    languages: tuple[LanguagePlan, ...] = ()


def steps_of(stage: Stage, conversations: int) -> int:
    """As train/loop/trainer.py counts them."""
    if stage.max_steps > 0:
        return stage.max_steps
    return math.ceil(stage.epochs * steps_per_epoch(conversations, stage.batch_size))


def published_plan(name: StageName, stage: Stage, sizes: Sizes, max_length: int) -> StagePlan:
    """Without data: as many conversations as were published, of assumed length."""
    conversations = PUBLISHED[name]
    text_only = PUBLISHED_TEXT_ONLY if name is StageName.STAGE2 else 0
    a_conversation = min(max_length, sizes.image_tokens + ASSUMED_TEXT[name])
    return _plan(
        name,
        stage,
        sizes,
        conversations,
        tokens=conversations * a_conversation - text_only * sizes.image_tokens,
        images=conversations - text_only,
        is_published=True,
    )


def measured_plan(
    name: StageName,
    stage: Stage,
    sizes: Sizes,
    mixture: Mixture,
    lengths: Lengths | None,
    weights: MixtureWeights,
    seed: int,
    devices: int,
    max_length: int,
) -> StagePlan:
    """Of data that are here; `lengths` is None where the tokenizer is not."""
    usable = np.ones(len(mixture), np.bool_) if lengths is None else lengths.usable

    def order(epoch: int) -> np.ndarray:
        return draw(mixture.langs, mixture.languages, usable, weights, seed, epoch)

    drawn = order(0)
    images = int(mixture.has_image()[drawn].sum())
    if lengths is None:
        text = len(drawn) * ASSUMED_TEXT[name]
        tokens = min(text + images * sizes.image_tokens, len(drawn) * max_length)
    else:
        tokens = int(lengths.tokens[drawn].sum())
    plan = _plan(name, stage, sizes, len(drawn), tokens, images, is_published=False)
    languages = _languages(mixture, lengths, usable, weights, drawn)
    if lengths is None:
        return replace(plan, languages=languages)
    steps = StepPlan(lengths.tokens, order, stage.batch_size, stage.row_tokens, plan.steps)
    looked = np.linspace(0, steps.steps_per_epoch - 1, LOOKED_AT).astype(int)
    chosen = sorted({int(step) for step in looked})
    packing = steps.packing(chosen, devices)
    rows = sum(len(steps.rows(step, devices)) for step in chosen) / len(chosen) / devices
    return replace(
        plan,
        is_measured=True,
        rows_a_step=rows,
        padding_share=packing.padding_share,
        idle_share=packing.idle_share,
        languages=languages,
    )


def _plan(
    name: StageName,
    stage: Stage,
    sizes: Sizes,
    conversations: int,
    tokens: int,
    images: int,
    is_published: bool,
) -> StagePlan:
    """`tokens` and `images` are an epoch's."""
    steps = steps_of(stage, conversations)
    epochs = steps / steps_per_epoch(conversations, stage.batch_size)
    text = max(0, tokens - images * sizes.image_tokens)
    supervised = text if name is StageName.STAGE1 else int(text * SUPERVISED_SHARE)
    return StagePlan(
        stage=name,
        conversations=conversations,
        steps=steps,
        warmup_steps=math.ceil(stage.warmup_ratio * steps),
        tokens=round(tokens * epochs),
        images=round(images * epochs),
        supervised=round(supervised * epochs),
        is_published=is_published,
        is_measured=False,
        tokens_a_step=round(tokens * epochs / steps),
        rows_a_step=None,
        padding_share=None,
        idle_share=None,
    )


def _languages(
    mixture: Mixture,
    lengths: Lengths | None,
    usable: np.ndarray,
    weights: MixtureWeights,
    drawn: np.ndarray,
) -> tuple[LanguagePlan, ...]:
    wanted = expected_counts(mixture.langs, mixture.languages, usable, weights)
    parts = shares(wanted)
    tokens = None
    if lengths is not None:
        codes = mixture.langs[drawn]
        tokens = np.bincount(codes, lengths.tokens[drawn], minlength=len(mixture.languages))
    found = []
    for code, lang in enumerate(mixture.languages):
        if lang not in mixture.counts:
            continue
        cut = lengths.cut[lang] if lengths else None
        found.append(
            LanguagePlan(
                lang=lang,
                conversations=mixture.counts[lang],
                weight=weights.weights.get(lang, 1.0) if weights.temperature is None else None,
                drawn=wanted[lang],
                share=parts[lang],
                tokens=int(tokens[code]) if tokens is not None else None,
                cut=cut.cut if cut else None,
                unusable=cut.unusable if cut else None,
            )
        )
    return tuple(found)
