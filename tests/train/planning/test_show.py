import json
import shutil
import sys

import pytest

from palo import cli, console
from palo.cli import guarded
from palo.errors import MissingResource, UserError
from palo.settings import LoopSettings, Sharding
from tests.train.conftest import ROOT, make_scale
from train.planning.plan import ASSUMED_MFU, dry_run
from train.scale import Part, StageName, ensure


@pytest.fixture
def palo(profile, tmp_path, monkeypatch, capsys):
    """Runs `palo` on the micro world and the real scales' files: exit code, output, errors."""
    shutil.copytree(ROOT / "train" / "scales", tmp_path / "train" / "scales")
    monkeypatch.setenv("PALO_CONFIG", str(tmp_path / "pipelines.yaml"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(console.console, "_width", 80)

    def run(line: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["palo", *line.split()])
        code = guarded(cli.app)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def within_80_columns(text: str) -> bool:
    """But for the lines that name paths."""
    lines = [line for line in text.splitlines()[1:] if not line.startswith("English: ")]
    return all(len(line) <= 80 for line in lines)


def test_the_published_7b_on_a_laptop_without_data(palo):
    code, out, err = palo("train --scale 7b --dry-run --profile palo --gpu a100-80 --gpus 8")
    assert code == 2
    assert within_80_columns(out)
    assert "total                7,063,427,072  20,979,712  340,795,392" in out
    assert "stage2: 28.3 GFLOP a token (4N), 30.0 GFLOP with attention over 2,048." in out
    assert "stage2 on 8 x a100-80, 79.1 GiB: rows of 8,192 tokens, checkpointing full" in out
    assert "stage1 on 8 x a100-80, 79.1 GiB: rows of 8,192 tokens, checkpointing none" in out
    assert "Checkpointing is auto: the least that leaves a tenth of the memory free." in out
    assert "GiB a device               none*  fsdp2  zero-1  zero-2  zero-3" in out
    assert "steps                            2,326     16,287" in out
    assert "of them warm-up                     70        489" in out
    assert "Not all data are here: conversations as published." in out
    assert err.startswith("Cannot train 7b on profile palo. Missing:\n  - captions (")
    assert "  - refined shards (" in err
    assert "GPU" not in err  # the run is to be elsewhere


def test_without_a_gpu_what_is_known_is_told_and_the_gpu_is_missing(palo):
    code, out, err = palo("train --scale 13b --dry-run --profile palo --until stage1")
    assert code == 2
    assert within_80_columns(out)
    assert "stage1 on a GPU: rows of 8,192 tokens" in out
    assert "No GPU here: --gpu a100-80 --gpus 8 tells whether it fits, and how long." in out
    assert "stage2" not in out
    assert "  - an NVIDIA GPU for 13b" in err
    assert "refined shards" not in err


def test_a_run_that_cannot_fit_is_refused_and_what_is_missing_is_said_too(palo):
    code, out, err = palo("train --scale 13b --dry-run --profile palo --gpu a100-40")
    assert code == 2
    assert "fits                          no" in out
    assert err.startswith("stage2 of 13b needs 44.5 GiB a device (weights 26.8,")
    assert "What would help:\n  - stage2: row_tokens: 2048 in the scale (38.8 GiB)" in err
    assert "Missing:\n  - captions (" in err


def test_a_twin_on_its_own_data_is_planned_before_anything_is_built(palo, profile):
    code, out, err = palo("train --scale 7b --dry-run")
    assert (code, err) == (0, "")
    assert within_80_columns(out)
    assert "stage2 on CPU: rows of 1,024 tokens, checkpointing none" in out
    assert "~ assumed lengths: texts were not measured" in out
    assert "On a CPU no time is estimated." in out
    assert f"English: {profile.paths.source_dir}" in out.replace("\n", "")
    assert not profile.paths.checkpoint("7b").exists()


def test_once_the_tokenizer_is_here_every_token_is_counted(profile, capsys):
    scale = make_scale("7b")
    ensure(Part.LANGUAGE_MODEL, scale, profile)
    capsys.readouterr()
    dry_run(scale, profile, StageName.STAGE2, as_json=True)
    plan = json.loads(capsys.readouterr().out)
    steps = plan["stages"]["stage2"]["steps"]
    assert (steps["is_measured"], steps["is_published"]) == (True, False)
    languages = {one["lang"]: one for one in steps["languages"]}
    assert set(languages) == {"en", "zh", "fr", "es", "ru", "ja", "ar", "hi", "bn", "ur"}
    assert steps["conversations"] == sum(one["drawn"] for one in languages.values())
    assert sum(one["share"] for one in languages.values()) == pytest.approx(1)
    assert all(one["weight"] == 1 and one["unusable"] == 0 for one in languages.values())
    assert all(one["tokens"] > 16 * one["drawn"] for one in languages.values())
    assert steps["steps"] == 2  # max_steps of the test's scale
    assert steps["rows_a_step"] >= 1
    assert 0 <= steps["padding_share"] < 1
    assert plan["stages"]["stage1"]["seconds"] is None


def test_the_mixture_is_shown_language_by_language(palo, profile):
    _, out, _ = palo("train --scale 13b --dry-run --gpu l4")
    table = out[out.index("an epoch", out.index("conversations an epoch") + 30) :]
    for lang in ("en", "zh", "ur", "all"):
        assert f"\n{lang} " in table
    assert "~ assumed lengths" in out
    assert "Time at 35% of the peak (assumed MFU)" in out


def test_machines_get_json_and_nothing_else(palo):
    code, out, _ = palo("train --scale 7b --dry-run --json --profile palo --gpu h100 --gpus 8")
    plan = json.loads(out)
    assert code == 2
    assert plan["hardware"]["devices"] == 8
    stage = plan["stages"]["stage2"]
    hours = stage["total_flops"] / (8 * 989.5e12 * ASSUMED_MFU) / 3600
    assert stage["seconds"] / 3600 == pytest.approx(hours)
    assert len([line for line in plan["missing"] if "Hugging Face cache" not in line]) == 5
    assert (plan["stages"]["stage1"]["checkpointing"], stage["checkpointing"]) == ("none", "full")
    assert set(stage["memory"]) == {"none", "fsdp2", "zero-1", "zero-2", "zero-3"}


def test_options_of_the_plan_need_the_plan(palo):
    code, _, err = palo("train --scale 7b --gpus 8")
    assert code == 2
    assert err == "--gpu, --gpus, --gpu-memory-gib and --json go with --dry-run.\n"


def test_an_unknown_gpu_is_refused_with_the_nearest_name(palo):
    code, _, err = palo("train --scale 7b --dry-run --gpu h10")
    assert code == 2
    assert "Unknown GPU 'h10'." in err


def test_problems_come_before_what_is_missing(profile):
    scale = make_scale("1.7b")
    with pytest.raises(UserError, match=r"stage1 of 1\.7b needs"):
        dry_run(scale, profile, StageName.STAGE1, gpu_memory_gib=0.1)
    profile.train.captions_path.unlink()
    with pytest.raises(MissingResource, match=r"(?s)stage1 of 1\.7b needs.*Missing:"):
        dry_run(scale, profile, StageName.STAGE1, gpu_memory_gib=0.1)


def test_a_shared_model_is_said_to_be_loaded_once(profile, capsys):
    loop = LoopSettings(sharding=Sharding.FSDP2)
    train = profile.train.model_copy(update={"loop": loop})
    for settings, is_told in ((profile.train, False), (train, True)):
        used = profile.model_copy(update={"train": settings})
        dry_run(make_scale("7b"), used, StageName.STAGE1, gpu="l4", gpus=2)
        told = "Weights load in the first process alone, which gives the others their parts."
        assert (told in capsys.readouterr().out) == is_told
