import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train.data.packing import StepPlan, pack, row_places, steps_per_epoch

LIKE_PALO = np.random.RandomState(3)


def palo_like_lengths(count):
    """An image's 576 tokens and a text with a long tail, at most 2,048, as in LLaVA-Instruct."""
    text = LIKE_PALO.lognormal(5.9, 0.8, count)
    return np.minimum(576 + 40 + text, 2048).astype(np.int32)


def flat(rows):
    return [index for row in rows for index in row]


def plan_of(lengths, **changes):
    lengths = np.asarray(lengths, dtype=np.int32)

    def order(epoch):
        return np.random.RandomState(epoch).permutation(len(lengths))

    settings = {"batch_size": 4, "row_tokens": 100, "total_steps": 9, **changes}
    return StepPlan(lengths, order, **settings)


@given(st.lists(st.integers(1, 100), max_size=40), st.integers(1, 4))
@settings(deadline=None, max_examples=200)
def test_every_document_is_in_one_row_and_no_row_is_too_long(lengths, world_size):
    rows = pack(lengths, 100, world_size)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= 100 for row in rows)
    assert len(rows) % world_size == 0


def test_rows_of_a_step_are_about_equally_long():
    rows = pack([50, 50, 40, 30, 20, 10], 100)
    assert rows == [[0, 2, 5], [1, 3, 4]]


def test_one_more_row_a_process_is_taken_where_the_fewest_cannot_hold_the_documents():
    assert len(pack([60, 60, 60], 100)) == 3  # 180 tokens, but no two of them fit together
    assert len(pack([60, 60, 60], 100, world_size=2)) == 4


def test_a_process_without_a_document_gets_an_empty_row():
    assert pack([5], 100, world_size=3) == [[0], [], []]
    assert pack([], 100, world_size=2) == [[], []]


def test_a_document_longer_than_a_row_is_a_mistake_of_the_caller():
    with pytest.raises(AssertionError, match="101 tokens in rows of 100"):
        pack([101], 100)


def test_a_step_is_exactly_so_many_conversations_and_an_epoch_every_one_of_them():
    plan = plan_of(range(1, 11))
    assert plan.steps_per_epoch == 3
    steps = [plan.conversations(step) for step in range(6)]
    assert [len(step) for step in steps] == [4, 4, 2, 4, 4, 2]
    assert sorted(flat(steps[:3])) == list(range(10))
    assert sorted(flat(steps[3:])) == list(range(10))
    assert steps[:3] != steps[3:]


def test_rows_are_a_pure_function_of_the_step():
    ahead, jumping = plan_of(range(1, 31)), plan_of(range(1, 31))
    rows = [ahead.rows(step) for step in range(9)]
    assert [jumping.rows(step) for step in reversed(range(9))] == rows[::-1]


def test_the_conversations_of_a_step_do_not_depend_on_the_number_of_processes():
    plan = plan_of([30] * 40, batch_size=8)
    alone, four = plan.rows(2), plan.rows(2, world_size=4)
    assert sorted(flat(alone)) == sorted(flat(four))
    assert len(four) == 4


@pytest.mark.parametrize("world_size", [1, 8])
def test_padding_and_waiting_are_below_three_percent_on_lengths_like_palos(world_size):
    plan = plan_of(palo_like_lengths(12_800), batch_size=128, row_tokens=8192, total_steps=100)
    packing = plan.packing(range(100), world_size)
    assert packing.padding_share < 0.01
    assert packing.idle_share < 0.03
    rows = plan.rows(0, world_size)
    filled = [sum(int(plan.lengths[index]) for index in row) for row in rows]
    assert max(filled) <= 8192


def test_padding_counts_places_up_to_the_multiple_and_waiting_those_beside_a_longer_row():
    plan = plan_of([10, 20], batch_size=2, total_steps=1)
    packing = plan.packing([0], world_size=2)
    assert packing.padding_share == 0.25  # 30 of 16 + 24 places
    assert packing.idle_share == pytest.approx(8 / 48)


@pytest.mark.parametrize(("tokens", "places"), [(0, 0), (1, 8), (8, 8), (9, 16)])
def test_rows_end_at_a_multiple_of_eight(tokens, places):
    assert row_places(tokens) == places


@pytest.mark.parametrize(("conversations", "steps"), [(0, 1), (8, 2), (9, 3)])
def test_steps_of_an_epoch(conversations, steps):
    assert steps_per_epoch(conversations, 4) == steps
