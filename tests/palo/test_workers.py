"""Work over processes: in order, a few at a time, and a death is told."""

import os
import time

import pytest

from palo.errors import UserError
from palo.workers import in_order


def slow_first(number):
    time.sleep(0.2 if number == 0 else 0)
    return number, os.getpid()


def die_at_three(number):
    if number == 3:
        os._exit(9)
    return number


def fail_at_two(number):
    if number == 2:
        raise UserError("no such thing as two")
    return number


def test_results_come_in_the_order_of_the_work_from_other_processes():
    found = list(in_order(slow_first, range(20), 2, "counted"))
    assert [number for number, _ in found] == list(range(20))
    assert os.getpid() not in {pid for _, pid in found}


def test_one_process_is_this_one():
    assert {pid for _, pid in in_order(slow_first, range(1, 4), 1, "counted")} == {os.getpid()}


def test_work_is_taken_only_as_it_is_needed():
    taken = []
    results = in_order(fail_at_two, (taken.append(n) or n + 10 for n in range(1000)), 2, "counted")
    next(results)
    assert len(taken) <= 5
    results.close()


def test_the_death_of_a_process_is_told_in_words():
    told = (
        "A process that counted was ended from outside, most likely for want of memory. "
        "What was written is kept: run the same command again"
    )
    with pytest.raises(UserError) as plain:
        list(in_order(die_at_three, range(10), 2, "counted"))
    assert str(plain.value) == f"{told}."
    with pytest.raises(UserError) as set_somewhere:
        list(in_order(die_at_three, range(10), 2, "counted", "a.b"))
    fewer = ", with fewer processes (`a.b` in pipelines.yaml) if it happens again."
    assert str(set_somewhere.value) == told + fewer


def test_a_mistake_found_in_a_process_reaches_the_caller():
    with pytest.raises(UserError, match="no such thing as two"):
        list(in_order(fail_at_two, range(10), 2, "counted"))
