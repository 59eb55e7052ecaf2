"""The commands on conversion of docs/models.md, each run as it stands there."""

import re
import shlex
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from palo import cli
from palo.cli import guarded
from tests.docs.page_commands import section
from tests.train.conversion.published_folders import (
    PublishedModel,
    write_base,
    write_full,
    write_lora,
    write_projector,
    write_tower,
)

PAGE = section("docs/models.md", "Checkpoints and their conversion")
COMMANDS = [
    line.split("#")[0].removeprefix("palo ").strip()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


def run(capsys, line):
    code = guarded(lambda: cli.app(args=shlex.split(line)))
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def place(project, monkeypatch):
    """The folders that the page's commands name, in the working folder."""
    monkeypatch.chdir(project)
    model = PublishedModel()
    write_tower(project / "tower", model)
    write_base(project / "vicuna", model)
    write_full(project / "llava-v1.5-7b", model, shards=2)
    write_projector(project / "stage1", model)
    write_lora(project / "lora", model, "vicuna")
    return project


def test_every_command_of_the_page_does_what_it_says(place, capsys):
    assert len(COMMANDS) == 7
    for line in COMMANDS:
        code, out, err = run(capsys, line)
        assert code == 0, (line, err)
        assert out.startswith("palo convert")
    assert "projector: llava (projector), 4 tensors, from hf (full) in ours" in out
    state = load_file("palo-7b/model.safetensors")
    assert all(torch.equal(state[name], one) for name, one in PublishedModel().state().items())
    again, lora = (
        Path(folder, "adapter_model.bin").read_bytes() for folder in ("lora-again", "lora")
    )
    assert again == lora
    assert {path.name for path in Path("ours-3").iterdir()} == {"base", "adapter", "palo"}


def test_what_was_done_is_said_in_one_line(place, capsys):
    code, out, _ = run(capsys, "convert --from llava-v1.5-7b --out ours")
    assert code == 0
    assert out.splitlines()[-1].startswith(
        "ours: hf (full), 64 tensors, from llava (full) in llava-v1.5-7b"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("convert --from nothing --out x", "There is no folder nothing"),
        ("convert --from llava-v1.5-7b --out vicuna", "vicuna exists"),
        ("convert --from llava-v1.5-7b --to llava --out x", "in the layout 'llava' already"),
        ("convert --from lora --base nowhere --out x", "'nowhere' is no folder here"),
        ("convert --from vicuna --out x", "model_type is 'llama'; what can be converted"),
        ("convert --from stage1 --out x", "'lmsys/vicuna-7b-v1.5' is no folder here"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(place, capsys, line, said):
    code, _, err = run(capsys, line)
    assert code == 2
    assert said in err and err.count("\n") == 1
    assert not Path("x").exists() and not list(Path().glob(".x*"))


def test_shards_keep_below_the_size_asked_for(place, capsys):
    assert run(capsys, "convert --from llava-v1.5-7b --out ours --max-shard-gb 0.0002")[0] == 0
    sizes = [path.stat().st_size for path in Path("ours").glob("model-*.safetensors")]
    assert len(sizes) > 3
    assert max(sizes) < 450_000  # the embeddings alone have more than the limit
