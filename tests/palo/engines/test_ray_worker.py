"""The inside of a Ray actor, without Ray: what is given comes out once, over rests."""

from functools import partial

import pytest

from palo.engines.open import open_engine, signature
from palo.engines.ray import Worker
from palo.engines.stream import ScriptedEngine, Weights, scripted_result
from palo.settings import EngineKind

SCRIPTED = "scripted|1|none"


@pytest.fixture
def worker():
    worker = Worker(ScriptedEngine, "none")
    assert worker.open(SCRIPTED) == ""
    yield worker
    worker.close()


def opened(weights, settings):
    return Worker(partial(open_engine, EngineKind.TRANSFORMERS, weights, settings), weights.model)


def taken(worker, count):
    found = []
    while len(found) < count:
        results, ended = worker.take(30)
        assert ended == ""
        assert results
        found += results
    return found


def test_every_request_comes_back_once_over_rests(worker, make_requests):
    requests = make_requests(9)
    worker.give(requests[:4], True)
    found = taken(worker, 4)
    worker.give(requests[4:6], False)
    found += taken(worker, 2)
    worker.give([], True)
    worker.give(requests[6:], True)
    found += taken(worker, 3)
    assert found == [scripted_result(request) for request in requests]
    assert worker.take(0) == ([], "")


@pytest.mark.slow
def test_an_engine_that_waits_for_requests_is_told_when_there_are_none(
    engine_settings, make_requests
):
    """transformers answers only once its buffer is full or the requests end."""
    worker = opened(Weights(engine_settings.model), engine_settings)
    worker.open(str(_signature(engine_settings)))
    worker.give(make_requests(2), False)
    assert worker.take(0.5) == ([], "")
    worker.give([], True)
    assert {result.tag for result in taken(worker, 2)} == {"0000", "0001"}
    worker.close()


def _signature(settings):
    return signature(Weights(settings.model), settings)


def test_other_weights_than_the_drivers_are_refused():
    worker = Worker(ScriptedEngine, "some-model")
    refusal = worker.open("scripted|2|none")
    assert "its copy of model some-model is another one" in refusal
    assert "'scripted|1|none' there, 'scripted|2|none' here" in refusal


def test_a_node_without_the_model_says_so(engine_settings, tmp_path):
    worker = opened(Weights(str(tmp_path / "none")), engine_settings)
    assert f"translator model {tmp_path / 'none'}" in worker.open("any")


def test_an_engine_that_fails_is_told_with_its_reason(make_requests):
    worker = Worker(ScriptedEngine, "none")
    worker.open(SCRIPTED)
    worker.give(["no request"], True)
    results, ended = worker.take(30)
    assert results == []
    assert "no attribute 'messages'" in ended
