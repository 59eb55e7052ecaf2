"""The real run's page, command by command, on narrow models of the published kinds."""

import json

import pytest

from benchmarks.rehearsal import SMALLER, commands
from palo.languages import TARGETS

pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.timeout(3000)]


def test_the_page_runs_as_it_is_written(run_benchmark, tmp_path):
    _, figures = run_benchmark("rehearsal", "--folder", tmp_path, timeout=2900)
    wanted = commands()
    for real, small in SMALLER:
        wanted = [command.replace(real, small) for command in wanted]
    assert [row["command"] for row in figures["commands"]][1:] == wanted
    data_dir = tmp_path / "data" / "palo"
    active = json.loads((data_dir / "models/translator-finetuned/active.json").read_text())
    assert {*active} == {str(lang) for lang in TARGETS}
    trained = {path.name for path in (data_dir / "checkpoints").iterdir()}
    assert trained >= {path.stem for path in (tmp_path / "scales").glob("*.yaml")}
    assert not [name for name in trained if name.startswith(".")]
