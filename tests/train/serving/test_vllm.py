"""vLLM serves each kind of checkpoint by the documented command, with transformers' own tokens."""

import base64
import contextlib
import io
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.page_commands import section
from tests.train.serving.conftest import NEW_TOKENS, make_asked, transformers_says
from train.model.checkpoint import load_checkpoint
from train.serving.server import server_arguments

pytest.importorskip("vllm", reason="vLLM is not installed")
pytestmark = [pytest.mark.vllm, pytest.mark.slow]

PAGE = section("docs/models.md", "Serving a trained model")
CLEAR_LEAD = 0.01  # a hundred times what the two programs' logits differ by
START_S = 240


def commands():
    """The page's server commands, by the name they serve under."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return {re.search(r"checkpoints/([\d.]+b)", block)[1]: shlex.split(block) for block in blocks}


@contextmanager
def served(scale, folder, log_path, *more):
    """The page's command for this folder, on a free port; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    on_page = rf"data/palo/checkpoints/{scale}(-adapter)?"
    command = [re.sub(on_page, str(folder), word) for word in commands()[scale]]
    command = [sys.executable, *command[1:], *more, "--dtype", "float32", "--max-num-seqs", "4"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--max-model-len", "1024"]
    environment = os.environ | {"VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
    with log_path.open("w") as log:
        server = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/health", server, log_path)
        yield address
    finally:
        server.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)  # engine processes are of its group
        server.wait()


def wait_for(url, server, log_path):
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert server.poll() is None, log_path.read_text()[-3000:]
        with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.5)
    raise AssertionError(f"no server after {START_S} s: {log_path.read_text()[-3000:]}")


def png(picture):
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def ask(address, model, one):
    """(prompt ids, answer ids, answer) of a chat message."""
    content = [{"type": "text", "text": one.question}]
    if one.picture is not None:
        url = "data:image/png;base64," + base64.b64encode(png(one.picture)).decode()
        content.append({"type": "image_url", "image_url": {"url": url}})
    body = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "temperature": 0,
        "max_tokens": NEW_TOKENS,
        "return_token_ids": True,
    }
    request = urllib.request.Request(
        f"{address}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        got = json.load(response)
    choice = got["choices"][0]
    return got["prompt_token_ids"], choice["token_ids"], choice["message"]["content"]


def assert_served_as_transformers_says(address, served_name, model, tokenizer):
    """Prompt and answer, ids for ids; and the pictures matter, or the comparison says little."""
    asked = make_asked()
    said = transformers_says(model.eval(), tokenizer, asked)
    assert min(one.smallest_lead for one in said) > CLEAR_LEAD
    assert len({tuple(one.answer) for one in said}) == len(said)
    with ThreadPoolExecutor(len(asked)) as pool:  # together: answers must not depend on company
        got = list(pool.map(lambda one: ask(address, served_name, one), asked))
    assert [prompt for prompt, _, _ in got] == [one.prompt for one in said]
    assert [answer for _, answer, _ in got] == [one.answer for one in said]
    return got


def image_tokens(got, model):
    """Of each prompt; the last has no picture."""
    return [prompt.count(model.config.image_token_id) for prompt, _, _ in got]


def test_the_merged_7b_twin(merged_7b, tmp_path):
    model, tokenizer = load_checkpoint(merged_7b)
    with served("7b", merged_7b, tmp_path / "log") as address:
        got = assert_served_as_transformers_says(address, "palo-7b", model, tokenizer)
    assert image_tokens(got, model) == [16] * 6 + [0]


def test_the_13b_twin_as_base_and_adapter_says_what_the_merged_one_does(parts_13b, tmp_path):
    model, tokenizer = load_checkpoint(parts_13b)
    with served("13b", parts_13b, tmp_path / "log") as address:
        got = assert_served_as_transformers_says(address, "palo-13b", model, tokenizer)
        base, _ = load_checkpoint(parts_13b / "base")
        without = [ask(address, "palo-13b-base", one)[1] for one in make_asked()]
        assert without == [
            one.answer for one in transformers_says(base.eval(), tokenizer, make_asked())
        ]
    assert all(answer != other for (_, answer, _), other in zip(got, without, strict=True))


def test_the_1_7b_twin_has_144_image_tokens_takes_adapters_and_answers_the_page_s_example(
    whole_1_7b, adapted_1_7b, tmp_path
):
    model, tokenizer = load_checkpoint(whole_1_7b)
    adapter = adapted_1_7b / "adapter"
    lora = ("--enable-lora", "--max-lora-rank", "8", "--lora-modules", f"adapted={adapter}")
    with served("1.7b", whole_1_7b, tmp_path / "log", *lora) as address:
        got = assert_served_as_transformers_says(address, "palo-1.7b", model, tokenizer)
        merged, _ = load_checkpoint(adapted_1_7b)
        assert_served_as_transformers_says(address, "adapted", merged, tokenizer)
        first = make_asked()[0]
        (tmp_path / "picture.png").write_bytes(png(first.picture))
        example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
        for word, ours in (
            ("http://localhost:8000", address),
            ("picture.png", str(tmp_path / "picture.png")),
            ("max_tokens=256", f"max_tokens={NEW_TOKENS}"),
        ):
            assert word in example
            example = example.replace(word, ours)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(example, {})
    assert image_tokens(got, model) == [144] * 6 + [0]
    assert printed.getvalue() == got[0][2] + "\n"


@pytest.mark.parametrize("scale", ["7b", "1.7b", "13b"])
def test_the_page_s_commands_are_what_server_arguments_gives(scale, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("data/palo/checkpoints") / (f"{scale}-adapter" if scale == "13b" else scale)
    if scale == "13b":
        (folder / "base").mkdir(parents=True)
        (folder / "base" / "config.json").touch()
        (folder / "adapter").mkdir()
        (folder / "adapter" / "adapter_config.json").write_text('{"r": 128}', "utf-8")
    else:
        folder.mkdir(parents=True)
        (folder / "config.json").touch()
    wanted = ["python", "-m", "vllm.entrypoints.openai.api_server"]
    assert commands()[scale] == wanted + server_arguments(folder, f"palo-{scale}")
