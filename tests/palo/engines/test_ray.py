"""The ray engine on a real Ray of several nodes, its workers quick ones: nothing is lost."""

import time
from functools import partial

import psutil
import pytest

from palo.engines.open import open_engine, signature
from palo.engines.ray import RayEngine
from palo.engines.stream import ScriptedEngine, Signature, Weights, scripted_result
from palo.errors import MissingResource, UserError
from palo.settings import EngineKind, RaySettings

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.slow

NO_WEIGHTS = Weights("none")
SCRIPTED = Signature("scripted", "1", "none")
SMALL = {"object_store_memory": 80 * 2**20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster():
    """A head without room for workers and two nodes of one CPU."""
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    for _ in range(2):
        found.add_node(num_cpus=1, **SMALL)
    yield found
    found.shutdown()


@pytest.fixture
def make_engine(cluster, engine_settings):
    """A ray engine on the cluster; its workers host the scripted engine unless told otherwise."""

    def make(weights=NO_WEIGHTS, decided_by=SCRIPTED, hosted=EngineKind.SCRIPTED, **changes):
        ray = RaySettings(address=cluster.address, **changes.pop("ray", {}))
        changed = engine_settings.model_copy(
            update={"ray": ray, "max_num_seqs": 2, "stall_timeout_s": 60.0, **changes}
        )
        opener = partial(open_engine, hosted, weights, changed)
        return RayEngine(opener, weights.model, decided_by, changed)

    return make


def actors():
    """The processes of Ray actors that run on the cluster's nodes."""
    return [child for child in psutil.Process().children(recursive=True) if _is_actor(child)]


def _is_actor(process):
    try:
        return process.cmdline()[:1] == ["ray::Worker"] or "ray::Worker" in process.cmdline()[0]
    except (psutil.Error, IndexError):
        return False


def kill_actors():
    for process in actors():
        process.kill()


def by_tag(results):
    """Each result exactly once."""
    found = {}
    for result in results:
        assert result.tag not in found
        found[result.tag] = result
    return found


def expected(requests):
    return {request.tag: scripted_result(request) for request in requests}


def test_every_request_is_answered_once_by_a_worker_a_node(make_engine, make_requests):
    requests = make_requests(200)
    with make_engine() as engine:
        assert by_tag(engine.stream(requests)) == expected(requests)
        assert by_tag(engine.stream(requests[:7])) == expected(requests[:7])  # lives on
        while not all(worker.ready for worker in engine._workers):
            by_tag(engine.stream(requests[:7]))
        assert len(actors()) == 2
    assert actors() == []


def test_no_more_is_in_flight_than_the_workers_take(make_engine, make_requests):
    pulled = []

    def watched():
        for request in make_requests(60):
            pulled.append(request.tag)
            yield request

    with make_engine(ray={"workers": 1}) as engine:
        stream = engine.stream(watched())
        next(stream)
        assert len(pulled) == 4
        stream.close()
        requests = make_requests(9)
        assert by_tag(engine.stream(requests)) == expected(requests)


def test_what_two_lost_workers_had_in_flight_is_set_aside_and_nothing_else(
    make_engine, make_requests
):
    requests = make_requests(20)

    def deadly():
        """Kills the worker while it is given its fill: the first time, and the second."""
        for at, request in enumerate(requests):
            if at in (1, 4):
                kill_actors()
            yield request

    with make_engine(ray={"workers": 1}) as engine:
        found = by_tag(engine.stream(deadly()))
    wanted = expected(requests)
    assert found.keys() == wanted.keys()
    first = found.pop(requests[0].tag)
    assert first.finish_reason == "error"
    assert first.error.startswith("the engine died on it (")
    assert found == {tag: wanted[tag] for tag in found}


def test_workers_that_are_lost_one_after_another_end_the_run(make_engine, make_requests):
    def deadly():
        for request in make_requests(20):
            kill_actors()
            yield request

    with (
        make_engine(ray={"workers": 1}) as engine,
        pytest.raises(UserError, match=r"3 times in a row.*What was translated is kept"),
    ):
        by_tag(engine.stream(deadly()))


def test_a_node_that_joins_is_used_and_one_that_goes_is_done_without(
    cluster, make_engine, make_requests
):
    requests = make_requests(60)

    def changing():
        yield from requests[:20]
        node = cluster.add_node(num_cpus=1, **SMALL)
        at, deadline = 20, time.monotonic() + 60
        while len(actors()) < 3 and at < 40 and time.monotonic() < deadline:
            time.sleep(0.5)
            yield requests[at]
            at += 1
        seen.append(len(actors()))
        cluster.remove_node(node, allow_graceful=False)
        yield from requests[at:]

    seen = []
    with make_engine() as engine:
        assert by_tag(engine.stream(changing())) == expected(requests)
    assert seen == [3]


def test_a_cluster_without_room_ends_the_run_with_what_to_do(make_engine, make_requests):
    with (
        make_engine(ray={"cpus_per_worker": 64}, stall_timeout_s=1.0) as engine,
        pytest.raises(UserError, match=r"room for 0 workers.*Add nodes"),
    ):
        by_tag(engine.stream(make_requests(3)))


def test_nodes_without_the_model_say_so(make_engine, make_requests, tmp_path):
    absent = Weights(str(tmp_path / "none"))
    with (
        make_engine(absent, hosted=EngineKind.TRANSFORMERS) as engine,
        pytest.raises(MissingResource, match=f"translator model {tmp_path}/none"),
    ):
        by_tag(engine.stream(make_requests(3)))


def test_a_model_that_does_not_load_ends_the_run_with_the_reason(
    make_engine, make_requests, engine_settings, tmp_path
):
    (tmp_path / "config.json").write_text("{}")
    broken = Weights(str(tmp_path))
    decided_by = signature(broken, engine_settings)
    with (
        make_engine(
            broken, decided_by, EngineKind.TRANSFORMERS, ray={"workers": 1}, max_num_seqs=8
        ) as engine,
        pytest.raises(UserError, match=r"3 times in a row.*backend tokenizer"),
    ):
        by_tag(engine.stream(make_requests(3)))


def test_no_cluster_at_the_address_is_said(engine_settings, make_requests):
    settings = engine_settings.model_copy(update={"ray": RaySettings(address="127.0.0.1:9")})
    engine = RayEngine(ScriptedEngine, "none", SCRIPTED, settings)
    with engine, pytest.raises(UserError, match=r"No Ray cluster at '127\.0\.0\.1:9'"):
        by_tag(engine.stream(make_requests(3)))
