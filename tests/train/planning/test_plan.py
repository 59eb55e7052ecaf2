from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from sentencepiece import SentencePieceProcessor

from benchmarks.harness import MIXTURE, SHAPES
from palo.languages import TARGETS
from palo.schemas import Role, Turn
from palo.settings import MixtureWeights
from palo.tokenizer import load_tokenizer
from refine.pairs import read_pairs
from tests.llama_tokenizer import folder_of, pieces_path
from train.data.mixture import Mixture, open_mixture
from train.data.packing import CutCount, Lengths, total_steps
from train.data.template import Template, add_image, spans_of
from train.model.sizes import sizes_of
from train.planning.plan import ASSUMED, PUBLISHED, plan_steps, text_tokens
from train.scale import Stage, StageName, load_scale

ROOT = Path(__file__).parents[3]
SCALE = load_scale("7b", ROOT / "train" / "scales")
SIZES = sizes_of(SCALE, Path("/nowhere"))
SMALL = Stage(learning_rate=1e-3, batch_size=8, row_tokens=2048, epochs=2, warmup_ratio=0.1)
EACH, UNUSABLE = 700, 3  # tokens of each conversation; of the first language, at the start


@pytest.fixture
def mixture(profile) -> Mixture:
    return open_mixture(profile)


def lengths_of(mixture: Mixture) -> Lengths:
    tokens = np.full(len(mixture), EACH, np.int32)
    tokens[:UNUSABLE] = 0
    cut = {lang: CutCount(conversations=count) for lang, count in mixture.counts.items()}
    cut["en"].unusable, cut["ur"].cut = UNUSABLE, 2
    return Lengths(tokens, [], [], cut)


@pytest.fixture
def plan_of(profile, mixture):
    def plan(lengths, devices=1, **weights):
        settings = profile.train.model_copy(update={"mixture": MixtureWeights(**weights)})
        small = SIZES.model_copy(update={"scale": SCALE.model_copy(update={"stage2": SMALL})})
        return plan_steps(small, StageName.STAGE2, settings, mixture, lengths, devices)

    return plan


@pytest.mark.parametrize(
    ("conversations", "changes", "steps"),
    [(16, {}, 4), (17, {}, 6), (17, {"epochs": 0.5}, 2), (17, {"max_steps": 5}, 5), (1, {}, 2)],
)
def test_steps_of_a_stage(conversations, changes, steps):
    stage = SMALL.model_copy(update=changes)
    assert total_steps(stage, conversations) == steps


def test_the_published_runs_have_their_published_steps(profile):
    first, second = (plan_steps(SIZES, name, profile.train) for name in StageName)
    assert (first.conversations, first.steps, first.warmup_steps) == (595_375, 2326, 70)
    assert first.tokens == 595_375 * (576 + 24)
    assert first.supervised == 595_375 * 24
    assert (second.conversations, second.steps, second.warmup_steps) == (2_084_706, 16_287, 489)
    assert second.images == 2_084_706 - 40_688
    assert second.tokens == second.images * 576 + 665_298 * 265 + 157_712 * 5512
    assert (second.is_published, second.is_measured, second.padding_share) == (True, False, None)


def test_a_language_costs_what_its_factor_says_up_to_max_length(profile, monkeypatch):
    short = SIZES.model_copy(update={"scale": SCALE.model_copy(update={"max_length": 1024})})

    def tokens(sizes, lang, has_image):
        monkeypatch.setitem(PUBLISHED, StageName.STAGE2, {(lang, has_image): 1})
        return plan_steps(sizes, StageName.STAGE2, profile.train).tokens

    assert tokens(SIZES, "en", True) == 576 + 50 + 215
    assert tokens(SIZES, "es", True) == 576 + 50 + round(215 * 1.34)
    assert tokens(SIZES, "bn", True) == 576 + 50 + round(215 * 4.29)
    assert tokens(SIZES, "de", True) == tokens(SIZES, "bn", True)  # not measured
    assert (tokens(short, "es", True), tokens(short, "bn", True)) == (914, 1024)
    assert tokens(short, "bn", False) == 50 + round(215 * 4.29)


@pytest.mark.parametrize("lang", TARGETS)
def test_a_factor_is_what_a_vocabulary_of_vicunas_kind_takes_of_the_gold_pairs(lang):
    pieces = SentencePieceProcessor(model_file=str(pieces_path()))
    pairs = list(read_pairs(ROOT / "benchmarks" / "gold" / f"en-{lang}.tsv"))
    english, translated = (
        sum(map(len, pieces.encode(texts)))
        for texts in ([pair.source for pair in pairs], [pair.target for pair in pairs])
    )
    assert ASSUMED["factors"][lang] == round(translated / english, 2)


def test_a_conversation_is_assumed_to_have_llavas_shape_and_the_templates_tokens(tmp_path):
    kinds = [SHAPES[kind] for kind in MIXTURE]
    assert ASSUMED["english"] == round(fmean(map(sum, kinds)) / 4)
    tokenizer = load_tokenizer(str(folder_of(tmp_path / "llama", legacy=True)))
    texts = "What is it?", "A bus."
    of_texts = sum(len(tokenizer.tokenize(text)) for text in texts)
    add_image(tokenizer)
    for rounds in (1, 4):
        turns = [Turn(role=role, text=text) for role, text in zip(Role, texts, strict=True)]
        turns *= rounds
        turns[0] = Turn(role=Role.HUMAN, text=f"<image>\n{texts[0]}")
        encoded = Template(tokenizer).fit(spans_of(turns, has_image=True))
        assert encoded.length(0) - rounds * of_texts == 33 + 8 * rounds
    assert ASSUMED["template"] == round(33 + 8 * fmean(map(len, kinds)) / 2)


def test_a_measured_mixture_counts_every_token_of_both_epochs(mixture, plan_of):
    lengths = lengths_of(mixture)
    plan = plan_of(lengths)
    usable = len(mixture) - UNUSABLE
    assert (plan.conversations, plan.is_measured) == (usable, True)
    assert plan.steps == 2 * -(-usable // 8)
    assert plan.warmup_steps == -(-plan.steps // 10)
    assert plan.tokens == 2 * usable * EACH
    assert plan.images == 2 * int(mixture.has_image()[UNUSABLE:].sum())
    assert plan.tokens_a_step == round(plan.tokens / plan.steps)
    assert plan.supervised == 2 * int((usable * EACH - plan.images // 2 * 576) * 0.85)
    # two of 700 in a row of 2,048; 8 a step make 4 rows; a row of 1,400 ends at a multiple of 8
    assert plan.padding_share < 0.01


def test_rows_are_shared_out_over_the_devices(mixture, plan_of):
    lengths = lengths_of(mixture)
    one, four = (plan_of(lengths, devices=devices) for devices in (1, 4))
    assert one.rows_a_step == pytest.approx(4, abs=0.5)
    assert four.rows_a_step == 1


def test_languages_by_weight(mixture, plan_of):
    plan = plan_of(lengths_of(mixture), weights={"ur": 2, "zh": 0})
    found = {one.lang: one for one in plan.languages}
    there = mixture.counts["ur"]
    assert (found["ur"].weight, found["ur"].drawn) == (2, 2 * there)
    assert (found["ur"].tokens, found["ur"].cut) == (2 * there * EACH, 2)
    assert (found["zh"].weight, found["zh"].drawn, found["zh"].share) == (0, 0, 0)
    assert (found["en"].drawn, found["en"].unusable) == (mixture.counts["en"] - UNUSABLE, UNUSABLE)
    assert sum(one.share for one in plan.languages) == pytest.approx(1)
    assert set(found) == {"en", *TARGETS}


def test_languages_by_temperature_have_no_weight(mixture, plan_of):
    plan = plan_of(lengths_of(mixture), temperature=2)
    assert all(one.weight is None for one in plan.languages)
    assert sum(one.drawn for one in plan.languages) == len(mixture) - UNUSABLE


def test_without_the_tokenizer_lengths_are_assumed_and_said_to_be(mixture, plan_of):
    plan = plan_of(None)
    images = int(mixture.has_image().sum())
    assert (plan.is_measured, plan.conversations) == (False, len(mixture))
    texts = sum(
        count * text_tokens(StageName.STAGE2, lang) for lang, count in mixture.counts.items()
    )
    assert plan.tokens == 2 * (texts + 576 * images)
    assert all(one.tokens is None and one.cut is None for one in plan.languages)
