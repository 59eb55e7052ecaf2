"""The inside of a Ray actor, without Ray: what is given comes out once, whatever the order."""

import pytest

from palo.engines.open import Weights
from palo.engines.ray_worker import Worker
from palo.engines.scripted import scripted_result
from palo.settings.translate import EngineKind

SCRIPTED = "scripted|1|none"


@pytest.fixture
def worker(engine_settings):
    worker = Worker(EngineKind.SCRIPTED, Weights("none"), engine_settings)
    assert worker.open(SCRIPTED) == ""
    yield worker
    worker.close()


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
    worker.give(requests[:4], 4)
    found = taken(worker, 4)
    worker.give(requests[4:6], 4)
    found += taken(worker, 2)
    worker.give([], 9)  # told before the requests it is about: calls may overtake one another
    worker.give(requests[6:], 4)
    found += taken(worker, 3)
    assert found == [scripted_result(request) for request in requests]
    assert worker.take(0) == ([], "")


@pytest.mark.slow
def test_an_engine_that_waits_for_requests_is_told_when_there_are_none(
    engine_settings, make_requests
):
    """transformers answers only once its buffer is full or the requests end."""
    worker = Worker(EngineKind.TRANSFORMERS, Weights(engine_settings.model), engine_settings)
    worker.open(str(_signature(engine_settings)))
    worker.give(make_requests(2), 0)
    assert worker.take(0.5) == ([], "")
    worker.give([], 2)
    assert {result.tag for result in taken(worker, 2)} == {"0000", "0001"}
    worker.close()


def _signature(settings):
    from palo.engines.open import signature

    return signature(Weights(settings.model), settings)


def test_other_weights_than_the_drivers_are_refused(engine_settings):
    worker = Worker(EngineKind.SCRIPTED, Weights("some-model"), engine_settings)
    refusal = worker.open("scripted|2|none")
    assert "its copy of model some-model is another one" in refusal
    assert "'scripted|1|none' there, 'scripted|2|none' here" in refusal


def test_a_node_without_the_model_says_so(engine_settings, tmp_path):
    worker = Worker(EngineKind.TRANSFORMERS, Weights(str(tmp_path / "none")), engine_settings)
    assert f"translator model {tmp_path / 'none'}" in worker.open("any")


def test_an_engine_that_fails_is_told_with_its_reason(engine_settings, make_requests):
    worker = Worker(EngineKind.SCRIPTED, Weights("none"), engine_settings)
    worker.open(SCRIPTED)
    worker.give([None], 1)  # no request at all
    results, ended = worker.take(30)
    assert results == []
    assert "no attribute 'messages'" in ended
