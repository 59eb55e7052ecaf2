"""`palo serve`: flags, refusals, and the real server: a picture, a key, kill -9 without orphans."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

import psutil
import pytest

from palo import cli
from palo.cli import guarded
from palo.errors import UserError
from tests.train.serving.conftest import build
from train.model.checkpoint import save_checkpoint
from train.serving.server import Address, announcement, make_server

HERE = Address("127.0.0.1", 8000)


def run(capsys, *words):
    code = guarded(lambda: cli.app(args=[*words]))
    return (code, *capsys.readouterr())


@pytest.fixture
def vllm_is_there(monkeypatch):
    monkeypatch.setattr("train.serving.server.find_spec", lambda name: object())


def test_the_command_and_the_environment(checkpoint, vllm_is_there, monkeypatch):
    monkeypatch.setenv("VLLM_PLUGINS", "lora_filesystem_resolver")
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    server = make_server(checkpoint, "m", HERE, ["--max-model-len", "512"], on_cpu=True)
    text = " ".join(server.command)
    assert server.command[:3] == (sys.executable, "-m", "vllm.entrypoints.openai.api_server")
    for part in ("--host 127.0.0.1 --port 8000", "--dtype float32", "--served-model-name m"):
        assert part in text
    assert text.endswith("--max-model-len 512")
    assert server.environment["VLLM_PLUGINS"] == "lora_filesystem_resolver,palo"
    assert server.environment["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"
    assert "secret" not in text + announcement(server, "m", HERE)
    assert "Bearer $VLLM_API_KEY" in announcement(server, "m", HERE)
    assert "float32" not in " ".join(make_server(checkpoint, "m", HERE, [], False).command)


@pytest.mark.parametrize("flag", ["--api-key", "--api_key=x", "--port=1", "--model"])
def test_flags_that_are_ours_are_refused(checkpoint, vllm_is_there, flag):
    with pytest.raises(UserError, match="is not for vLLM here"):
        make_server(checkpoint, "m", HERE, [flag, "x"], on_cpu=True)


def test_other_machines_are_let_in_with_a_warning(checkpoint, vllm_is_there, monkeypatch):
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    everywhere = Address("0.0.0.0", 8000)
    server = make_server(checkpoint, "m", everywhere, [], on_cpu=True)
    assert "lets other machines in: anyone" in announcement(server, "m", everywhere)
    assert "curl http://127.0.0.1:8000/" in announcement(server, "m", everywhere)
    assert "Warning" not in announcement(server, "m", HERE)


@pytest.mark.parametrize("command", ["serve", "demo-ui"])
def test_a_busy_port_is_refused_before_anything_is_loaded(world, vllm_is_there, capsys, command):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = one.getsockname()[1]
        code, out, error = run(capsys, command, "--scale", "7b", "--port", str(port))
    assert (code, out) == (2, "")
    assert error.startswith(f"Cannot listen at 127.0.0.1:{port} (Address already in use): ")


@pytest.mark.parametrize(
    ("command", "missing", "message"),
    [
        ("serve", "train.serving.server", "vLLM is not installed: make vllm\n"),
        ("demo-ui", "train.serving.server", "Gradio is not installed: make setup "),
    ],
)
def test_what_is_not_installed_is_said(world, capsys, monkeypatch, command, missing, message):
    monkeypatch.setattr(f"{missing}.find_spec", lambda name: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    code, out, error = run(capsys, command, "--scale", "7b", "--port", port)
    assert (code, out, error[: len(message)]) == (2, "", message)


def test_a_scale_without_a_checkpoint_is_named(world, capsys):
    for command in ("serve", "demo-ui"):
        code, _, error = run(capsys, command, "--scale", "1.7b")
        assert code == 2 and error.endswith("Train it first: palo train --scale 1.7b\n")


def marked(pid):
    """Processes that carry the mark of the process `pid`."""
    found = []
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if one.environ().get("PALO_ENGINE_OF", "").startswith(f"{pid}:"):
                found.append(one.pid)
    return found


@pytest.mark.vllm
@pytest.mark.slow
def test_the_real_server_answers_about_a_picture_and_its_kill_leaves_nothing(
    world, picture, tmp_path
):
    pytest.importorskip("vllm", reason="vLLM is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    save_checkpoint(tmp_path / "7b", *build("7b", 64, 16, 0))  # vLLM wants heads of 32 or more
    command = [sys.executable, "-m", "palo", "serve", "--scale", "7b", "--port", str(port)]
    command += ["--checkpoint", str(tmp_path / "7b")]
    command += ["--", "--max-model-len", "1024", "--max-num-seqs", "2"]
    log_path = tmp_path / "log"
    with log_path.open("w") as log:
        server = subprocess.Popen(
            command, env={**os.environ, "VLLM_API_KEY": "k"}, stdout=log, stderr=log
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, log_path)
        printed = log_path.read_text("utf-8")
        assert f"Serving palo-7b at http://127.0.0.1:{port}/v1" in printed
        example = re.search(r"^curl .*?^END$", printed, re.DOTALL | re.MULTILINE)[0]
        example = example.replace("picture.jpg", str(picture))
        answer = subprocess.run(
            ["bash", "-c", example], env={**os.environ, "VLLM_API_KEY": "k"},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        got = json.loads(answer.stdout)
        assert got["model"] == "palo-7b" and got["usage"]["prompt_tokens"] > 16
        assert got["choices"][0]["message"]["content"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=30)
        assert len(marked(server.pid)) >= 2  # itself and its engine
        server.send_signal(signal.SIGKILL)
        server.wait()
        deadline = time.monotonic() + 60
        while left := marked(server.pid):
            assert time.monotonic() < deadline, left
            time.sleep(0.2)
    finally:
        server.kill()
        server.wait()


def wait_for(url, server, log_path):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert server.poll() is None, log_path.read_text()[-3000:]
        with suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.5)
    raise AssertionError(f"no server: {log_path.read_text()[-3000:]}")
