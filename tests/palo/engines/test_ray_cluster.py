"""How many workers the nodes of a Ray cluster have room for."""

import pytest

from palo.engines.ray import Node, rooms
from palo.settings import RaySettings


def node(name, cpus, gpus=0.0, alive=True):
    resources = {"CPU": cpus, "memory": 1e9}
    if gpus:
        resources["GPU"] = gpus
    return {"NodeID": name, "Alive": alive, "Resources": resources}


@pytest.fixture
def settings(engine_settings):
    def make(tensor_parallel_size=1, **ray):
        changes = {"tensor_parallel_size": tensor_parallel_size, "ray": RaySettings(**ray)}
        return engine_settings.model_copy(update=changes)

    return make


def test_one_worker_a_gpu_and_none_where_there_is_no_gpu(settings):
    nodes = [node("a", 16.0, 8.0), node("b", 16.0, 2.0), node("head", 16.0)]
    assert rooms(nodes, settings()) == [Node("a", 8, 1.0, 1.0), Node("b", 2, 1.0, 1.0)]


def test_a_worker_takes_as_many_gpus_as_share_a_model(settings):
    nodes = [node("a", 16.0, 8.0), node("b", 16.0, 2.0)]
    assert rooms(nodes, settings(4, cpus_per_worker=2)) == [Node("a", 2, 2.0, 4.0)]


def test_without_any_gpu_a_worker_takes_a_whole_node_or_its_share(settings):
    nodes = [node("a", 16.0), node("b", 5.0), node("head", 0.0)]
    assert rooms(nodes, settings()) == [Node("a", 1, 16.0, 0.0), Node("b", 1, 5.0, 0.0)]
    shared = rooms(nodes, settings(cpus_per_worker=4))
    assert shared == [Node("a", 4, 4.0, 0.0), Node("b", 1, 4.0, 0.0)]


def test_dead_nodes_have_no_room(settings):
    assert rooms([node("a", 4.0, 1.0, alive=False), node("b", 4.0)], settings()) == [
        Node("b", 1, 4.0, 0.0)
    ]
