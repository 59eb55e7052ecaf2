"""Optional filters are off by default; what decides them is an input of every shard."""

import subprocess
import sys

from palo.settings import ModelFilterSettings, RefineSettings
from refine.judgement import default_filters, judge_inputs, model_filters, models_digest

NAMES = ["labse", "metricx", "back_translation", "judge"]


def settings(**sections):
    return ModelFilterSettings.model_validate(sections)


def all_on(bert, mt5):
    return settings(
        labse={"model": str(bert)},
        metricx={"model": str(mt5), "tokenizer": str(mt5)},
        back_translation={"model": "served"},
        judge={"model": "served"},
    )


def test_all_are_off_until_a_profile_names_them():
    assert model_filters(RefineSettings().models) == ()
    assert models_digest(RefineSettings().models) == ""
    assert RefineSettings().models.licence_notes() == ()
    assert not {one.name for one in default_filters(RefineSettings())} & {*NAMES}


def test_those_that_are_on_join_the_others_and_name_their_licence(tiny_bert, tiny_mt5):
    models = all_on(tiny_bert, tiny_mt5)
    found = default_filters(RefineSettings(models=models))
    assert [one.name for one in found][-5:] == [*NAMES, "duplicate"]
    notes = models.licence_notes()
    assert len(notes) == 4
    assert any("metricx" in note and "Apache-2.0" in note for note in notes)


def test_weights_prompts_and_limits_are_inputs_of_a_shard(tiny_bert, tmp_path):
    import shutil

    folder = tmp_path / "labse"
    shutil.copytree(tiny_bert, folder)
    before = judge_inputs(RefineSettings(models=settings(labse={"model": str(folder)})))
    limit = {"model": str(folder), "min_similarity": 0.5}
    assert judge_inputs(RefineSettings(models=settings(labse=limit))) != before
    faster = {"model": str(folder), "batch_size": 7}
    assert judge_inputs(RefineSettings(models=settings(labse=faster))) == before
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense" / "model.safetensors").write_bytes(b"other")
    assert judge_inputs(RefineSettings(models=settings(labse={"model": str(folder)}))) != before


def test_a_servers_version_is_an_input_and_its_concurrency_is_none():
    def inputs(**server):
        return models_digest(settings(judge={"model": "served", "server": server}))

    assert inputs(version="2") != inputs() != inputs(base_url="http://other:8000/v1")
    assert inputs(concurrency=3) == inputs()


def test_the_module_imports_by_itself():
    done = subprocess.run([sys.executable, "-c", "import refine.models"], capture_output=True)
    assert done.returncode == 0, done.stderr


def test_a_run_judges_by_them_and_anew_only_when_they_change(run, tiny_bert):
    run.translated(run.good)
    run.settings = {"models": {"labse": {"model": str(tiny_bert), "min_similarity": 1.0}}}
    run.refine()
    names = [one.filter for turn in run.refined()["good"].findings for one in turn]
    assert names == ["labse", "labse"]
    assert run.refine().shards_done == 0
    run.settings = {}
    assert run.refine().shards_done == 1
