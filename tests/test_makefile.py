"""make is the front of the front door: LANG means a language, recipes run under a real locale."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPO_DIR = Path(__file__).resolve().parent.parent
MAKEFILE = (REPO_DIR / "Makefile").read_text(encoding="utf-8")
TARGETS = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split()
# Stands in for .venv/bin/palo: says what it was given and what it sees.
PALO = """#!/bin/sh
echo "palo $*"
echo "PROFILE=$PROFILE LC_ALL=$LC_ALL LANG=$LANG charmap=$(locale charmap)"
"""


@pytest.fixture
def make(tmp_path):
    """Runs make in a copy of the checkout whose .venv is a stand-in."""
    for name in ("Makefile", "pyproject.toml", "requirements"):
        source = REPO_DIR / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    program = tmp_path / ".venv" / "bin" / "palo"
    program.parent.mkdir(parents=True)
    program.write_text(PALO)
    program.chmod(0o755)
    (program.parent / "python").touch()
    for mark in (".installed", ".vllm", ".transformers-4", ".smollm2"):
        (tmp_path / ".venv" / mark).touch()

    def run(*words, **environment):
        kept = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment}
        return subprocess.run(
            ["make", "HARDWARE=cpu", *words],
            cwd=tmp_path, env=kept, capture_output=True, text=True, encoding="utf-8",
        )  # fmt: skip

    return run


@pytest.mark.parametrize("locale", ["en_US.UTF-8", "ur", "ur_PK.UTF-8", "C", ""])
def test_translate_without_a_language_says_what_to_give_whatever_the_locale(make, locale):
    done = make("translate", LANG=locale)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "Say which language: make translate LANG=ur   "
        "(ar bn es fr hi ja ru ur zh; a comma list; all)"
    )
    assert "palo" not in done.stdout


@pytest.mark.parametrize("target", ["translate", "train"])
def test_a_missing_word_is_asked_for_before_anything_is_installed(make, tmp_path, target):
    shutil.rmtree(tmp_path / ".venv")
    done = make(target)
    assert done.returncode == 2 and done.stderr.startswith("Say which ")
    assert not (tmp_path / ".venv").exists()


def test_what_make_would_run_to_translate(make):
    done = make("-n", "translate", "LANG=ur")
    assert (done.returncode, done.stdout) == (0, '.venv/bin/palo translate --lang "ur"\n')


@pytest.mark.parametrize("lang", ["ur", "ur,fr", "all", "ur fr"])
def test_lang_reaches_palo_and_the_recipe_runs_under_a_utf8_locale(make, lang):
    done = make("translate", f"LANG={lang}", LANG="de_DE")
    first, seen = done.stdout.splitlines()
    assert first == f"palo translate --lang {lang}"
    assert re.search(r"LC_ALL=(C|en_US)\.utf-?8 ", seen, re.IGNORECASE)
    assert seen.endswith(" LANG= charmap=UTF-8")
    assert done.stderr == ""  # no program complains of a locale named ur


def test_the_users_own_lc_all_does_not_win_over_a_real_locale(make):
    assert make("status", LC_ALL="ur").stdout.endswith("charmap=UTF-8\n")


def test_a_profile_reaches_palo(make):
    assert "PROFILE=palo " in make("translate", "LANG=ur", "PROFILE=palo").stdout
    assert "PROFILE=palo " in make("translate", "LANG=ur", PROFILE="palo").stdout
    assert "PROFILE= " in make("translate", "LANG=ur").stdout


def test_train_without_a_scale_says_what_to_give(make):
    done = make("train")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "Say which scale: make train SCALE=7b   (1.7b 7b 13b)"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "SCALE=1.7b"], "palo train --scale 1.7b"),
        (["refine"], "palo refine --lang all"),
        (["refine", "LANG=ur"], "palo refine --lang ur"),
        (["evaluate"], "palo evaluate --scale 7b"),
        (["evaluate", "SCALE=13b"], "palo evaluate --scale 13b"),
        (["report"], "palo report"),
        (["status"], "palo status"),
        (["demo"], "palo demo"),
    ],
)
def test_targets_run_the_same_commands_that_a_user_may(make, words, expected):
    assert make(*words).stdout.splitlines()[0] == expected


def test_the_refine_targets_language_is_never_the_locale(make):
    assert make("refine", LANG="ur").stdout.startswith("palo refine --lang all\n")


def test_test_targets_run_offline(make):
    for target in ("test", "test-fast", "test-gpu"):
        assert make("-n", target).stdout.startswith("HF_HUB_OFFLINE=1 .venv/bin/python -m pytest")


def test_tests_that_want_a_gpu_to_themselves_run_alone(make):
    assert make("-n", "test").stdout.endswith(' -m pytest -n 2 -m "not gpu"\n')
    assert make("-n", "test-gpu").stdout.endswith(" -m pytest -m gpu\n")


def test_help_has_a_line_for_every_target_and_is_what_make_alone_says(make):
    done = make("help")
    assert [line.split()[0] for line in done.stdout.splitlines()] == TARGETS
    assert all(re.fullmatch(r"  [a-z-]+ +\S.*", line) for line in done.stdout.splitlines())
    assert make().stdout == done.stdout


def test_a_failing_command_fails_the_target(make, tmp_path):
    (tmp_path / ".venv" / "bin" / "palo").write_text("#!/bin/sh\nexit 2\n")
    assert make("status").returncode == 2


def test_clean_removes_the_samples_data_alone(make, tmp_path):
    for profile in ("sample", "palo"):
        (tmp_path / "data" / profile).mkdir(parents=True)
    assert make("clean").returncode == 0
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["palo"]


def test_a_changed_lock_file_is_installed_again(make, tmp_path):
    mark = (tmp_path / ".venv" / ".installed").stat().st_mtime
    assert "requirements/install" not in make("-n", "status").stdout
    os.utime(tmp_path / "requirements" / "cpu.lock", (mark + 10, mark + 10))
    assert "requirements/install requirements/cpu.lock" in make("-n", "status").stdout


@pytest.mark.parametrize(("driver", "code"), [("570.86.10", 2), ("580.65.06", 0), ("1000.1", 0)])
def test_a_driver_too_old_for_cuda_13_is_named_before_anything_is_installed(
    make, tmp_path, driver, code
):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "nvidia-smi").write_text(f"#!/bin/sh\necho {driver}\necho {driver}\n")
    install = tmp_path / "requirements" / "install"
    install.write_text("#!/bin/sh\necho installing\n")
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text("#!/bin/sh\n")
    for program in (programs / "nvidia-smi", install, python):
        program.chmod(0o755)
    (tmp_path / ".venv" / ".installed").unlink()
    path = f"{programs}:{os.environ['PATH']}"
    done = make("setup", "HARDWARE=cuda", PATH=path)
    assert done.returncode == code
    assert ("installing" in done.stdout) == (code == 0)
    if code:
        assert f"NVIDIA driver is {driver}; CUDA 13" in done.stderr
        assert not (tmp_path / ".venv" / ".installed").exists()
        assert make("setup", "HARDWARE=cuda", "ANY_DRIVER=1", PATH=path).returncode == 0


def test_an_old_python_is_named_and_nothing_is_made(make, tmp_path):
    shutil.rmtree(tmp_path / ".venv")
    old = tmp_path / "old"
    old.write_text('#!/bin/sh\necho "Palo needs Python 3.11 or newer" >&2; exit 1\n')
    old.chmod(0o755)
    done = make("setup", f"PYTHON={old}")
    assert done.returncode == 2 and "Palo needs Python 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()
