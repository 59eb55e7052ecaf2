"""The ray engine with real vLLM in its actors: equal text, lost workers and nodes, nothing left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from palo.engines.open import open_engine
from palo.engines.stream import Message, Request, Sampling, Weights
from palo.settings import EngineKind, RaySettings, TranslatorSettings

pytest.importorskip("vllm", reason="vLLM is not installed")
pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [pytest.mark.vllm, pytest.mark.slow]

SMALL = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
REPO_DIR = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def cluster():
    """A head without room for workers and two nodes of one CPU."""
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **SMALL})
    found.nodes = [found.add_node(num_cpus=1, **SMALL) for _ in range(2)]
    yield found
    found.shutdown()


@pytest.fixture(scope="module")
def settings(model_dir, cluster, tmp_path_factory):
    return TranslatorSettings(
        model=str(model_dir),
        finetuned_dir=tmp_path_factory.mktemp("tuned"),
        max_tokens=24,
        max_model_tokens=128,
        max_num_seqs=8,
        stall_timeout_s=240,
        ray=RaySettings(address=cluster.address),
    )


@pytest.fixture(scope="module")
def engine(settings):
    with open_engine(EngineKind.RAY, Weights(settings.model), settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def wanted(settings):
    """What the transformers engine says to requests."""

    def ask(requests):
        with open_engine(EngineKind.TRANSFORMERS, Weights(settings.model), settings) as other:
            return {result.tag: result.text.rstrip("\ufffd") for result in other.stream(requests)}

    return ask


def by_tag(results):
    """Each result exactly once."""
    found = {}
    for result in results:
        assert result.tag not in found
        found[result.tag] = result
    return found


def texts(found):
    # half a character at the end is dropped by one engine and shown as U+FFFD by the other
    return {tag: result.text.rstrip("\ufffd") for tag, result in found.items()}


def processes(name, of=None):
    of = of or psutil.Process()
    return [child for child in of.children(recursive=True) if name in _title(child)]


def _title(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_text_equals_that_of_transformers_and_a_long_prompt_is_its_rows_failure(
    engine, make_requests, wanted
):
    requests = make_requests(40)
    long = Request("long", (Message("user", "red " * 300),), Sampling(24))
    found = by_tag(engine.stream([*requests, long]))
    assert "the model takes 128" in found.pop("long").error
    assert texts(found) == wanted(requests)


def test_a_killed_worker_and_a_removed_node_lose_no_row(engine, cluster, make_requests, wanted):
    """No worker is left then; the node that is left gets another one."""
    requests = make_requests(60)
    found = by_tag(_with_losses(engine, cluster, requests))
    assert found.keys() == {request.tag for request in requests}
    # of what the first had in flight, the second had one in flight at most: that may be the cause
    blamed = [tag for tag, result in found.items() if result.error]
    assert len(blamed) <= 1
    for tag in blamed:
        assert found.pop(tag).error.startswith("the engine died on it (")
    expected = wanted(requests)
    assert texts(found) == {tag: expected[tag] for tag in found}


def _with_losses(engine, cluster, requests):
    kept, gone = cluster.nodes
    (raylet,) = kept.all_processes["raylet"]
    for count, result in enumerate(engine.stream(requests)):
        if count == 3:
            assert [len(worker.flights) > 4 for worker in engine._workers] == [True, True]
            (worker,) = processes("ray::Worker", psutil.Process(raylet.process.pid))
            worker.kill()
        if count == 6:
            cluster.remove_node(gone, allow_graceful=False)
        yield result


def test_a_killed_driver_leaves_no_engine_process_behind(engine, settings, tmp_path):
    engine.__exit__(None, None, None)  # its node is wanted
    assert processes("VLLM::") == []
    program = tmp_path / "run.py"
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from palo.engines.open import open_engine\n"
        "from palo.engines.stream import Weights\n"
        "from palo.engines.stream import Message, Request, Sampling\n"
        "from palo.settings import EngineKind, TranslatorSettings\n"
        "if __name__ == '__main__':\n"
        "    settings = TranslatorSettings.model_validate_json(sys.argv[1])\n"
        "    engine = open_engine(EngineKind.RAY, Weights(settings.model), settings)\n"
        "    request = Request('a', (Message('user', 'red'),), Sampling(24))\n"
        "    for _ in engine.stream([request]):\n"
        "        print('up', flush=True)\n"
        "        sys.stdin.read()\n"
    )
    run = subprocess.Popen(
        [sys.executable, str(program), settings.model_dump_json()],
        env={**os.environ, "PYTHONPATH": str(REPO_DIR)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert any(line == "up\n" for line in run.stdout)
    started = processes("VLLM::") + processes("ray::Worker")  # children of the node, not the run
    assert any("EngineCore" in _title(process) for process in started), processes("")
    run.send_signal(signal.SIGKILL)
    run.wait()
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []
