"""The `openai` engine against a real vLLM server with a tiny model."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest

from palo.engines.open import open_engine
from palo.engines.reaper import marked, new_mark, start_watcher
from palo.engines.stream import Message, Request, Sampling, Weights
from palo.settings import EngineKind, ServerSettings, TranslatorSettings

pytest.importorskip("vllm", reason="vLLM is not installed")
pytestmark = [pytest.mark.vllm, pytest.mark.slow]

START_S = 240.0
NAME = "palo/tiny"


class Served:
    """A server on a port of its own, which can be killed and started there again."""

    def __init__(self, model_dir):
        self._model_dir = model_dir
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/v1"
        self._process = None
        self.mark = new_mark()

    def start(self):
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--model", str(self._model_dir), "--served-model-name", NAME]
        command += ["--host", "127.0.0.1", "--port", str(self._port), "--dtype", "float32"]
        command += ["--max-model-len", "128", "--max-num-seqs", "8"]
        command += ["--generation-config", "auto"]  # the tiny model has its own ends of an answer
        with marked(self.mark):  # so that the watcher ends it, too, if the tests are killed
            environment = {**os.environ, "VLLM_LOGGING_LEVEL": "ERROR"}
            self._process = subprocess.Popen(command, env=environment)

    def wait(self):
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the server ended"
            try:
                urlopen(f"{self.url}/models", timeout=5).close()
            except (URLError, OSError):
                time.sleep(0.5)
            else:
                return
        raise AssertionError("the server did not come up")

    def kill(self):
        """SIGKILL for it and for all that it started."""
        whole = psutil.Process(self._process.pid)
        everyone = [*whole.children(recursive=True), whole]
        for process in everyone:
            process.kill()
        self._process.wait()
        psutil.wait_procs(everyone, timeout=20)


@pytest.fixture(scope="module")
def served(model_dir):
    server = Served(model_dir)
    watcher = start_watcher(server.mark)
    server.start()
    try:
        server.wait()
        yield server
    finally:
        server.kill()
        watcher.stdin.close()
        watcher.wait()


@pytest.fixture
def settings(model_dir, served, tmp_path):
    return TranslatorSettings(
        model=str(model_dir),
        finetuned_dir=tmp_path,
        max_model_tokens=128,
        server=ServerSettings(base_url=served.url, model=NAME, concurrency=6, max_retries=1),
    )


@contextmanager
def opened(settings):
    with open_engine(EngineKind.OPENAI, Weights(settings.model), settings) as engine:
        yield engine


def by_tag(engine, requests):
    return {result.tag: result for result in engine.stream(requests)}


def test_texts_tokens_and_logprobs_equal_those_of_the_transformers_engine(settings, make_requests):
    requests = make_requests(30)
    with opened(settings) as engine:
        ours = by_tag(engine, requests)
    with open_engine(EngineKind.TRANSFORMERS, Weights(settings.model), settings) as other:
        theirs = by_tag(other, requests)
    assert ours.keys() == theirs.keys()
    for tag, one in ours.items():
        # half a character at the end is dropped by one and shown as U+FFFD by the other
        assert one.text.rstrip("\ufffd") == theirs[tag].text.rstrip("\ufffd")
        assert one.finish_reason == theirs[tag].finish_reason
        assert (one.prompt_tokens, one.output_tokens) == (
            theirs[tag].prompt_tokens,
            theirs[tag].output_tokens,
        )
        assert abs(one.mean_logprob - theirs[tag].mean_logprob) < 1e-2


def test_a_prompt_over_the_context_is_that_rows_failure(settings, make_requests):
    long = Request("long", (Message("user", "red " * 300),), Sampling(24))
    with opened(settings) as engine:
        alone = by_tag(engine, [long])
    with opened(settings) as engine:
        found = by_tag(engine, [long, *make_requests(3)])
    for results in (alone, found):
        assert "400" in results["long"].error
        assert "128" in results["long"].error
    assert sum(not one.error for one in found.values()) == 3


def test_a_server_that_is_killed_and_started_again_loses_no_row(settings, served, make_requests):
    requests = make_requests(40)
    with opened(settings) as engine:
        expected = {tag: one.text for tag, one in by_tag(engine, requests).items()}
    found = {}
    with opened(settings) as engine:
        for count, result in enumerate(engine.stream(requests)):
            if count == 5:
                served.kill()
                served.start()
            assert result.tag not in found
            assert not result.error
            found[result.tag] = result.text
    served.wait()
    assert found == expected
