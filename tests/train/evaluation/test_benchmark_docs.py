"""What docs/evaluating.md says of judging: its settings are settings, its commands run."""

import re
import shlex

import pytest
import yaml

from palo.cli import app, guarded
from palo.settings import EvaluateSettings
from tests.train.conftest import ROOT
from tests.train.evaluation.conftest import make_bench, save_tiny, write_project
from train.evaluation.judge import prompt_digest

PAGE = (ROOT / "docs" / "evaluating.md").read_text("utf-8").partition("## Judging")[2]
COMMANDS = [
    line.partition("#")[0].strip() for line in PAGE.split("\n") if line.startswith("    palo ")
]
VLLM = [line for line in COMMANDS if "--engine vllm" in line]  # tests/.../test_vllm_answering.py


def judge_settings():
    return yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])["evaluate"]


def test_there_are_commands_and_one_is_for_vllm():
    assert len(COMMANDS) == 4 and len(VLLM) == 1


def test_its_settings_are_settings(tmp_path):
    paths = {"questions_path": tmp_path / "q.jsonl", "images_dir": tmp_path}
    settings = EvaluateSettings.model_validate(paths | judge_settings())
    assert settings.judge.server.base_url == "https://api.openai.com/v1"
    # what is not said keeps a judge's defaults, not those of a translator's server
    assert (settings.judge.server.seed, settings.judge.server.logprobs) == (True, False)


def test_its_signature_has_today_s_prompt():
    assert f"|prompt:{prompt_digest()}|" in PAGE


@pytest.mark.parametrize("line", [line for line in COMMANDS if line not in VLLM])
def test_its_commands_run(profile, tmp_path, monkeypatch, serve, capsys, line):
    server = serve()
    scale = shlex.split(line)[3]
    save_tiny(profile, scale)
    judge = judge_settings()["judge"] | {"server": {"base_url": server.url}}
    config = write_project(tmp_path, None if "--no-judge" in line else judge)
    monkeypatch.setenv("PALO_CONFIG", str(config))
    monkeypatch.chdir(tmp_path)
    make_bench(tmp_path / "DIR", count=1)
    assert guarded(lambda: app(shlex.split(line)[1:])) == 0
    assert server.seen.total() == (4 if line.endswith("DIR") else 0)
    assert len([*profile.paths.evaluation(scale).with_suffix("").glob("*.json")]) == 1
