"""Fixtures of every test: an offline environment, honest skips, a project folder of its own."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import yaml

REPO_DIR = Path(__file__).resolve().parent.parent
CI = os.environ.get("CI") == "true"

os.environ.update(
    HF_HUB_OFFLINE="1",
    VLLM_NO_USAGE_STATS="1",
    DO_NOT_TRACK="1",
    VLLM_CPU_KVCACHE_SPACE="1",
    # Engines of a CPU start as those of a GPU do, without a process of its own for the one worker;
    # and they compile nothing. Both take half of a start, and there are some forty.
    VLLM_ENABLE_V1_MULTIPROCESSING="0",
    VLLM_CPU_CI_ENV="1",
)
for own_choice in ("PROFILE", "PALO_CONFIG"):  # a developer's choice must not reach the tests
    os.environ.pop(own_choice, None)

if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):  # more threads than cores stall all
    threads = max(1, len(os.sched_getaffinity(0)) // int(workers))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))

# A shell starts what runs in its background with SIGINT ignored, and children inherit that:
# programs that tests send Ctrl-C to would never see it. A handler, unlike it, is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    if workers:  # what takes long is begun first: the rest fills the gaps at the end
        long = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in long)
    if not any(item.get_closest_marker("gpu") for item in items) or _has_cuda():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs an NVIDIA GPU"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With several processes (`-n 2`) a file's tests share its fixtures, so they stay together; so
    do those that start a Ray cluster, of which a machine has one."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid):
            path = super()._split_scope(nodeid)
            return "ray" if path.startswith("tests/palo/engines/test_ray") else path

    return ByFile(config, log)


def _has_cuda():
    if shutil.which("nvidia-smi") is None:  # spares the seconds that importing torch takes
        return False
    import torch

    return torch.cuda.is_available()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI everything is installed: a skip there hides something, unless a GPU is wanted."""
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if CI and skipped and not item.get_closest_marker("gpu"):
        report.outcome = "failed"
        report.longrepr = f"skipped although CI=true: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """The same for a whole file that skips itself (pytest.importorskip)."""
    report = yield
    if CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid}: skipped although CI=true: {_reason(report)}"
    return report


def _reason(report):
    is_place = isinstance(report.longrepr, tuple)  # file, line, reason
    return report.longrepr[2] if is_place else str(report.longrepr)


@pytest.fixture(scope="session")
def soffice():
    """The path of LibreOffice's program."""
    return _program("LibreOffice", "soffice", "libreoffice")


@pytest.fixture(scope="session")
def chromium():
    """The path of a Chromium."""
    return _program("Chromium", "chromium", "chromium-browser", "google-chrome")


def _program(title, *names):
    found = [path for path in map(shutil.which, names) if path]
    if not found:
        pytest.skip(f"{title} is not installed ({' or '.join(names)} on the PATH)")
    return found[0]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the repository's pipelines.yaml at its smallest; PALO_CONFIG points there."""
    settings = yaml.safe_load((REPO_DIR / "pipelines.yaml").read_text(encoding="utf-8"))
    sample = settings["profiles"]["sample"]
    sample["world"] |= {
        "source_images": 6,
        "corpus_scenes": 20,
        "caption_images": 6,
        "text_scenes": 6,
        "parallel_text_scenes": 4,
        "evaluation_images": 3,
    }
    sample["source"]["shard_rows"] = 8
    sample["translator"]["seed_samples"] = 4
    sample["translator"]["standin"] = {"vocab_size": 600, "hidden_size": 32, "layers": 1}
    sample["translator"]["standin"] |= {"heads": 2, "steps": 2, "batch_size": 8}
    for profile in settings["profiles"].values():
        profile["train"]["scales_dir"] = str(REPO_DIR / profile["train"]["scales_dir"])
    path = tmp_path / "pipelines.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    monkeypatch.setenv("PALO_CONFIG", str(path))
    return tmp_path
