from pathlib import Path

import numpy as np
import pytest

from palo.languages import TARGETS
from palo.settings import MixtureWeights
from train.data.mixture import Mixture, open_mixture
from train.data.packing import CutCount, Lengths, total_steps
from train.model.sizes import sizes_of
from train.planning.plan import plan_steps
from train.scale import Stage, StageName, load_scale

SCALES = Path(__file__).parents[3] / "train" / "scales"
SCALE = load_scale("7b", SCALES)
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
    assert (second.is_published, second.is_measured, second.padding_share) == (True, False, None)


def test_without_data_each_conversation_is_cut_before_those_of_text_alone_lose_their_image(profile):
    short = SIZES.model_copy(update={"scale": SCALE.model_copy(update={"max_length": 1024})})
    planned = plan_steps(short, StageName.STAGE2, profile.train)
    assert planned.tokens == 2_084_706 * 1024 - 40_688 * 576


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
    assert plan.tokens == 2 * (700 * len(mixture) + 576 * images)
    assert all(one.tokens is None and one.cut is None for one in plan.languages)
