import json
import re
import shutil

import pytest
import torch
from transformers import CLIPVisionModel

from palo.errors import MissingResource, UserError
from palo.files import read_json, write_json
from palo.settings import load_profile
from tests.train.conftest import ROOT, make_scale
from train import run
from train.evaluation.held_out import evaluate_scale
from train.loop.trainer import StageTrainer, newest_complete
from train.model import checkpoint
from train.model.checkpoint import load_checkpoint
from train.run import train_scale
from train.scale import StageName, load_scale

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["7b", "13b", "1.7b"])
def test_every_scale_trains_two_stages_and_answers_in_ten_languages(profile, name):
    scale = make_scale(name)
    folder = train_scale(scale, profile)
    assert folder == profile.paths.checkpoint(name)
    model, _ = load_checkpoint(folder)
    assert not any("lora" in key for key in model.state_dict())
    log = read_json(folder / "training.json")
    assert log["logs"]["stage1"][-1]["step"] == 2
    assert log["logs"]["stage2"][-1]["step"] == 2
    assert set(log["mixture"]) == {"en", "zh", "fr", "es", "ru", "ja", "ar", "hi", "bn", "ur"}
    assert not folder.with_name(f"{name}.work").exists()
    result = evaluate_scale(scale, profile)
    assert [row["questions"] for row in result["languages"].values()] == [8] * 10
    assert read_json(profile.paths.evaluation(name)) == json.loads(json.dumps(result))


def test_a_lora_scale_is_also_written_as_base_and_adapter_where_that_is_asked_for(profile):
    loop = profile.train.loop.model_copy(update={"keep_adapter": True})
    train = profile.train.model_copy(update={"loop": loop})
    folder = train_scale(make_scale("13b"), profile.model_copy(update={"train": train}))
    parts = folder.with_name("13b-adapter")
    assert {path.name for path in parts.iterdir()} == {"base", "adapter"}
    merged, again = load_checkpoint(folder)[0].state_dict(), load_checkpoint(parts)[0].state_dict()
    assert all(torch.equal(merged[name], again[name]) for name in merged)


def with_at_most(profile, share):
    train = profile.train.model_copy(update={"max_broken_images": share})
    return profile.model_copy(update={"train": train})


def test_a_conversation_without_its_image_is_left_out_counted_and_named(profile):
    captions = read_json(profile.train.captions_path)
    captions[0]["image"], captions[1]["image"] = "gone.jpg", "../outside.jpg"
    write_json(profile.train.captions_path, captions)
    projector = train_scale(make_scale("7b"), with_at_most(profile, 0.9), StageName.STAGE1)
    aside = {row["id"]: row["reason"] for row in read_json(projector / "palo.json")["set_aside"]}
    assert "no image" in aside[captions[0]["id"]]
    assert "leads out of the images" in aside[captions[1]["id"]]
    shutil.rmtree(projector)
    with pytest.raises(UserError, match=r"max_broken_images allows 0.0%"):
        train_scale(make_scale("7b"), with_at_most(profile, 0.0), StageName.STAGE1)


def test_what_is_done_is_not_done_again(profile, monkeypatch):
    scale = make_scale("7b")
    folder = train_scale(scale, profile)
    first = (folder / "model.safetensors").stat()
    assert train_scale(scale, profile) == folder
    assert (folder / "model.safetensors").stat() == first
    evaluate_scale(scale, profile)
    monkeypatch.setattr("train.evaluation.answerers.TransformersAnswerer.answer", None)
    evaluate_scale(scale, profile)


def interrupt_at(name, scale, profile, monkeypatch):
    """Trains until `run` would call the function of that name; Ctrl-C comes instead."""

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, name, stop)
        with pytest.raises(KeyboardInterrupt):
            train_scale(scale, profile)


def test_a_save_that_cannot_work_ends_the_run_before_the_first_step(profile, monkeypatch):
    def fail(*unused, **settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("train.model.checkpoint.save_torch_state_dict", fail)
    monkeypatch.setattr(run, "_train", None)
    with pytest.raises(UserError, match=r"could not be written: .*No space left on device"):
        train_scale(make_scale("7b"), profile)


def test_a_failed_save_keeps_what_was_trained_and_a_rerun_goes_on(profile, monkeypatch):
    scale = make_scale("7b")
    real = checkpoint.save_torch_state_dict

    def fail_at_the_end(tensors, folder, **settings):
        if folder.name.startswith(".7b."):
            raise OSError(28, "No space left on device")
        real(tensors, folder, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_torch_state_dict", fail_at_the_end)
        with pytest.raises(UserError, match="What was trained is kept"):
            train_scale(scale, profile)
    folder = profile.paths.checkpoint("7b")
    assert not folder.exists()
    assert not list(folder.parent.glob(".7b.*"))
    stage2 = folder.with_name("7b.work") / "stage2"
    assert newest_complete(stage2) == stage2 / "checkpoint-2"
    steps = []
    monkeypatch.setattr(StageTrainer, "training_step", lambda *unused: steps.append(unused))
    assert train_scale(scale, profile) == folder
    assert steps == []
    load_checkpoint(folder)


def moved(profile, tmp_path):
    """The profile after its project went to another folder."""
    (tmp_path / "moved").mkdir()
    for name in ("data", "pipelines.yaml"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    return load_profile("sample", tmp_path / "moved" / "pipelines.yaml")


def test_a_project_that_was_moved_trains_nothing_again(profile, tmp_path, monkeypatch):
    scale = make_scale("7b")
    first = (train_scale(scale, profile) / "model.safetensors").stat()
    monkeypatch.setattr(run, "_train", None)
    folder = train_scale(scale, moved(profile, tmp_path))
    assert folder.is_relative_to(tmp_path / "moved")
    assert (folder / "model.safetensors").stat() == first


def test_a_project_moved_in_the_middle_goes_on_from_its_checkpoint(profile, tmp_path, monkeypatch):
    scale = make_scale("7b")
    interrupt_at("_finish", scale, profile, monkeypatch)
    begun_from = []
    real = run._train

    def spy(training, name, *rest):
        begun_from.append((name, newest_complete(training.work / name)))
        real(training, name, *rest)

    monkeypatch.setattr(run, "_train", spy)
    folder = train_scale(scale, moved(profile, tmp_path))
    stage2 = folder.with_name("7b.work") / "stage2"
    assert begun_from == [("stage2", stage2 / "checkpoint-2")]


def test_an_interrupted_run_keeps_stage_1_and_ends_with_the_same_weights(profile, monkeypatch):
    scale = make_scale("7b")
    train_scale(scale, profile)
    folder = profile.paths.checkpoint("7b")
    whole = load_checkpoint(folder)[0].state_dict()
    folder.rename(folder.with_name("whole"))
    interrupt_at("_stage2", scale, profile, monkeypatch)
    assert (folder.with_name("7b.work") / "stage1" / "projector.safetensors").is_file()
    stages = []
    real = run._train

    def spy(training, name, *rest):
        stages.append(name)
        real(training, name, *rest)

    monkeypatch.setattr(run, "_train", spy)
    again = load_checkpoint(train_scale(scale, profile))[0].state_dict()
    assert stages == ["stage2"]
    assert all(torch.equal(whole[key], again[key]) for key in whole)


def test_stage_1_alone_needs_no_translations_and_is_gone_on_from(profile, monkeypatch):
    scale, paths = make_scale("7b"), profile.paths
    refined = paths.refined("fr").parent
    aside = refined.with_name("not-yet")
    refined.rename(aside)
    projector = train_scale(scale, profile, StageName.STAGE1) / "projector.safetensors"
    before = projector.read_bytes()
    with pytest.raises(MissingResource, match="refined shards"):
        train_scale(scale, profile)
    aside.rename(refined)
    monkeypatch.setattr(run, "open_captions", None)  # stage 1 is not done again
    trained, _ = load_checkpoint(train_scale(scale, profile))
    assert before
    assert trained.model.multi_modal_projector is not None


def test_training_changes_the_projector_and_the_language_model_but_never_the_tower(profile):
    scale = make_scale("7b")
    trained, _ = load_checkpoint(train_scale(scale, profile))
    from train.model.assembly import assemble, load_language_model

    models = profile.data_dir / "models"
    tower = CLIPVisionModel.from_pretrained(models / "tower", dtype=torch.float32)
    language_model, tokenizer = load_language_model(str(models / "lm"), None, torch.float32)
    fresh = assemble(scale, tower, language_model, tokenizer, profile.train.seed).state_dict()
    changed = {key for key, value in trained.state_dict().items() if not value.equal(fresh[key])}
    assert not any("vision_tower" in key for key in changed)
    assert any("multi_modal_projector" in key for key in changed)
    assert any(re.search(r"language_model.*q_proj", key) for key in changed)
    assert "model.language_model.embed_tokens.weight" not in changed


def test_the_real_profile_lists_everything_that_is_missing(tmp_path, monkeypatch):
    text = (ROOT / "pipelines.yaml").read_text("utf-8")
    (tmp_path / "pipelines.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    palo = load_profile("palo", tmp_path / "pipelines.yaml")
    scale = load_scale("7b", ROOT / "train" / "scales")
    with pytest.raises(MissingResource) as caught:
        train_scale(scale, palo)
    message = str(caught.value)
    assert "an NVIDIA GPU for 7b" in message
    assert str(palo.train.captions_path) in message
    assert str(palo.train.english_mix_path) in message
    assert "palo translate --lang all, then palo refine" in message
    assert "language model lmsys/vicuna-7b-v1.5 in the Hugging Face cache, 13.5 GB" in message
    assert "vision tower openai/clip-vit-large-patch14-336 in the Hugging Face cache" in message
    assert f"--revision {scale.vision_tower.revision}" in message
    with pytest.raises(MissingResource, match=r"palo train --scale 7b"):
        evaluate_scale(scale, palo)
