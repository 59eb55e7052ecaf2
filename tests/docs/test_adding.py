"""The filter and the scale that docs/extending.md adds, added."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

from palo import cli
from palo.cli import guarded
from palo.errors import UserError
from tests.docs.page_commands import REPO_DIR, commands_of, section
from train.scale import load_scale

PACKAGES = ("palo", "translate", "refine", "train", "sceneworld", "data_cards")


def blocks(title, kind):
    return re.findall(rf"```{kind}\n(.*?)```", section("docs/extending.md", title), re.DOTALL)


@pytest.fixture
def copy(tmp_path):
    """The packages with the page's filter in them, and its test beside them."""
    root = tmp_path / "code"
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPO_DIR / package, root / package, ignore=ignored)
    code, test = blocks("Adding a filter", "python")
    (root / "refine/filters/shouting.py").write_text(code, encoding="utf-8")
    (root / "test_shouting.py").write_text(test, encoding="utf-8")
    (diff,) = blocks("Adding a filter", "diff")
    imported, listed = (line.removeprefix("+") + "\n" for line in diff.splitlines())
    path = root / "refine/judgement.py"
    text = path.read_text("utf-8")
    for line, before in (
        (imported, "from refine.review_file"),
        (listed, "        *model_filters"),
    ):
        assert text.count(before) == 1
        text = text.replace(before, line + before)
    path.write_text(text, encoding="utf-8")
    (root / "pairs.tsv").write_text(
        "source\ttarget\nA red car stands here.\tUNE VOITURE ROUGE EST ICI.\n"
        "A red car stands here.\tUne voiture rouge est ici.\n",
        encoding="utf-8",
    )
    shutil.copy(REPO_DIR / "pipelines.yaml", root)
    return root


def run(root, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_pages_filter_is_a_file_a_test_and_a_line(copy):
    assert "4 passed" in run(copy, "pytest", "-q", "-p", "no:cacheprovider", "test_shouting.py")
    out = run(copy, "palo", "refine", "check", "pairs.tsv", "--lang", "fr")
    loud, quiet = map(json.loads, out.splitlines())
    assert [one["reason"] for one in loud["reasons"] if one["filter"] == "shouting"] == [
        "all in capitals"
    ]
    assert loud["verdict"] == "review" and quiet["verdict"] == "pass"


@pytest.fixture
def with_scale(project, monkeypatch):
    """A project whose scales have the page's one as well, and its sizes are known."""
    scale, sizes = blocks("Adding a scale", "yaml")
    scales = project / "scales"
    shutil.copytree(REPO_DIR / "train/scales", scales)
    (scales / "3b.yaml").write_text(scale, encoding="utf-8")
    published = REPO_DIR / "train/model/sizes.yaml"
    known = yaml.safe_load(published.read_text("utf-8"))
    known["language_models"] |= yaml.safe_load(sizes)
    monkeypatch.setattr("train.model.sizes.read_yaml", lambda *_: known)
    settings = yaml.safe_load((project / "pipelines.yaml").read_text("utf-8"))
    settings["profiles"]["palo"]["train"]["scales_dir"] = str(scales)
    (project / "pipelines.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    monkeypatch.chdir(project)
    return scales


def test_the_pages_scale_is_one_file(with_scale):
    assert load_scale("3b", with_scale).lora.rank == 64
    with pytest.raises(UserError, match="3b"):
        load_scale("4b", with_scale)


def test_the_pages_scale_is_planned_and_asked_for_what_lacks(with_scale, capsys):
    page = "docs/extending.md"
    plan, train, evaluate = commands_of(page, section(page, "Adding a scale"))
    assert guarded(lambda: cli.app(args=list(plan.palo))) == 2  # the data are not here
    out = capsys.readouterr().out
    assert re.search(r"language model +3,426,883,200", out) and "stage2 on 1 x h100" in out
    for one in (train, evaluate):
        assert guarded(lambda one=one: cli.app(args=shlex.split(shlex.join(one.palo)))) == 2
        assert "Missing" in capsys.readouterr().err
