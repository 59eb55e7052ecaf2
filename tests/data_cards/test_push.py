"""Pushing: into a folder, to a Hub on this machine, and refusals in a sentence."""

import os
import subprocess
import sys

import pytest
from datasets import load_dataset
from huggingface_hub import DatasetCard, ModelCard

from palo.errors import MissingResource, UserError
from palo.files import write_json
from palo.schemas import REFINED
from palo.shards import shard_name, write_shard
from tests.data_cards.fake_hub import fake_hub

TOKEN = "hf_secretsecretsecret"


@pytest.fixture
def exported(profile, palo):
    assert palo("export", "--format", "hub", "--lang", "ur").exit_code == 0
    return profile


@pytest.fixture
def hub():
    with fake_hub() as found:
        yield found


@pytest.fixture
def online(project, tmp_path):
    """Runs palo in a process of its own that may use the network, with a token or without."""

    def run(endpoint, *words, token=TOKEN, **more):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        kept |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), **more}
        kept |= {"HF_TOKEN": token} if token else {}
        return subprocess.run(
            [sys.executable, "-m", "palo", "push", "--repo-id", "org/name", *words],
            env=kept, capture_output=True, text=True,
        )  # fmt: skip

    return run


def test_a_dataset_goes_into_a_folder_laid_out_as_the_hub_is(exported, palo, tmp_path):
    done = palo("push", "--repo-id", "org/name", "--lang", "ur", "--to", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "datasets" / "org" / "name"
    assert done.output.replace("\n", "").endswith(f"Pushed: {folder}")
    assert DatasetCard.load(folder / "README.md").data.language == ["ur"]
    rows = load_dataset(str(folder), "ur", split="train", cache_dir=str(tmp_path / "cache"))
    assert rows.num_rows == 3
    again = palo("push", "--repo-id", "org/name", "--lang", "ur", "--to", str(tmp_path / "hub"))
    assert again.exit_code == 0


def test_a_checkpoint_goes_with_its_card_and_terms_and_without_its_log(checkpoint, palo, tmp_path):
    palo("card", "--scale", "7b")
    words = ("--repo-id", "org/name", "--what", "checkpoint", "--to", str(tmp_path / "hub"))
    assert palo("push", *words).exit_code == 0
    folder = tmp_path / "hub" / "org" / "name"
    names = {path.name for path in folder.iterdir()} - {".palo-export.json"}
    assert names == {"README.md", "LICENSE.md", "config.json", "palo.json", "model.safetensors"}
    assert ModelCard.load(folder / "README.md").data.pipeline_tag == "image-text-to-text"
    assert not (checkpoint / "README.md").exists()


def test_a_dry_run_lists_files_and_sizes_and_sends_nothing(exported, palo, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    output = palo("push", "--repo-id", "org/name", "--lang", "ur", "--dry-run").output
    lines = [line.split() for line in output.split("\n")[1:] if line.strip()]
    assert [words[-1] for words in lines[:-1]] == [
        ".gitattributes",
        "LICENSE.md",
        "README.md",
        "data/ur/train-00000-of-00001.parquet",
    ]
    total = sum(int(words[0].replace(",", "")) for words in lines[:-1])
    assert lines[-1] == f"{total:,} bytes in 4 files, for datasets/org/name".split()


def test_a_stale_card_is_not_pushed_unless_anyway(exported, palo):
    folder = exported.paths.refined("ur")
    write_shard(folder / shard_name(1), [], REFINED, {}, {"samples": 0})
    words = ("push", "--repo-id", "org/name", "--lang", "ur", "--dry-run")
    with pytest.raises(UserError, match=r"README.md is stale: ur refined shards changed \(run "):
        palo(*words)
    done = palo(*words, "--anyway")
    assert done.exit_code == 0 and "Although README.md is stale" in done.output


def test_a_language_whose_audit_fails_is_not_pushed_unless_anyway(exported, palo, audited):
    audited("ur", 4, 132, "failed")
    palo("export", "--format", "hub", "--lang", "ur")
    words = ("push", "--repo-id", "org/name", "--lang", "ur", "--dry-run")
    with pytest.raises(UserError, match="Urdu fails the acceptance plan of its audit"):
        palo(*words)
    assert palo(*words, "--anyway").exit_code == 0
    palo("export", "--format", "hub", "--lang", "fr")
    assert palo("push", "--repo-id", "org/name", "--lang", "fr", "--dry-run").exit_code == 0


def test_shards_unlike_their_source_are_not_pushed(exported, palo):
    path = exported.paths.translated("ur") / "manifest.json"
    write_json(path, {"audit": {"whole": False}})
    with pytest.raises(UserError, match="Urdu has shards that do not match their source"):
        palo("push", "--repo-id", "org/name", "--lang", "ur", "--dry-run")


def test_a_file_that_names_a_place_of_this_machine_is_never_pushed(checkpoint, palo):
    palo("card", "--scale", "7b")
    write_json(checkpoint / "extra.json", {"path": str(checkpoint)})
    asked = ("push", "--repo-id", "org/name", "--what", "checkpoint", "--dry-run", "--anyway")
    with pytest.raises(UserError, match=r"extra.json names a folder of this machine"):
        palo(*asked)
    write_json(checkpoint / "extra.json", {"text_config": {"_name_or_path": "/scratch/models/lm"}})
    with pytest.raises(UserError, match=r"extra.json names a folder of this machine"):
        palo(*asked)
    write_json(checkpoint / "extra.json", {"_name_or_path": "org/name", "path": ""})
    assert palo(*asked).exit_code == 0


def test_what_comes_first_is_said(profile, palo):
    with pytest.raises(MissingResource, match="palo export --format hub --lang ur"):
        palo("push", "--repo-id", "org/name", "--lang", "ur")
    with pytest.raises(MissingResource, match="palo train --scale 7b"):
        palo("push", "--repo-id", "org/name", "--what", "checkpoint")


def test_a_checkpoint_needs_its_card(checkpoint, palo):
    with pytest.raises(MissingResource, match="palo card --scale 7b"):
        palo("push", "--repo-id", "org/name", "--what", "checkpoint")
    palo("card", "--scale", "7b")
    write_json(checkpoint / "palo.json", {"inputs": "other"})
    with pytest.raises(UserError, match=r"sample-7b.md is stale: checkpoint changed"):
        palo("push", "--repo-id", "org/name", "--what", "checkpoint")


@pytest.mark.parametrize(("name", "told"), [("a b/c", "is no repository"), ("name", "no owner")])
def test_a_repository_that_cannot_be_is_refused(exported, palo, name, told):
    with pytest.raises(UserError, match=told):
        palo("push", "--repo-id", name, "--lang", "ur", "--dry-run")


@pytest.mark.slow
def test_the_hub_gets_a_private_repository_and_the_very_files(exported, hub, online):
    done = online(hub.endpoint, "--lang", "ur")
    assert done.returncode == 0, done.stderr
    assert hub.created[0]["visibility"] == "private" and hub.created[0]["type"] == "dataset"
    folder = exported.data_dir / "export" / "hub-ur"
    wanted = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".palo-export.json"
    }
    assert hub.files == wanted
    assert {auth for _, _, auth in hub.requests} == {f"Bearer {TOKEN}"}
    assert TOKEN not in done.stdout + done.stderr
    assert not list((exported.data_dir / "export").glob(".push-*"))


@pytest.mark.slow
def test_a_public_repository_takes_the_word_for_it(exported, hub, online):
    hub.private = False
    done = online(hub.endpoint, "--lang", "ur")
    assert done.returncode == 2 and "is public. Push with --public" in done.stderr
    assert hub.files == {}
    assert online(hub.endpoint, "--lang", "ur", "--public").returncode == 0
    assert hub.created[-1]["visibility"] == "public" and len(hub.files) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refuse", "told"),
    [
        ({"/api": 401}, "it does not accept the token"),
        ({"/api": 403}, "the token has no right to write there"),
        ({"/api/datasets/org/name/preupload": 403}, "the token has no right to write there"),
        ({"/api/repos": 400}, "it answered 400"),
    ],
)
def test_a_refusal_is_a_sentence(exported, hub, online, refuse, told):
    hub.refuse = refuse
    done = online(hub.endpoint, "--lang", "ur")
    assert done.returncode == 2
    assert done.stderr.strip().split("\n")[-1] == (
        f"{hub.endpoint} refused datasets/org/name: {told}."
    )
    assert "Traceback" not in done.stderr and TOKEN not in done.stdout + done.stderr


@pytest.mark.slow
def test_no_token_no_network_and_offline_are_said(exported, online):
    dead = "http://127.0.0.1:9"
    done = online(dead, "--lang", "ur", token="")
    assert (done.returncode, done.stderr) == (
        2,
        "No token for the Hub. Run hf auth login, or set HF_TOKEN.\n",
    )
    done = online(dead, "--lang", "ur")
    assert done.returncode == 2 and done.stderr.startswith(f"Cannot reach {dead}. ")
    done = online(dead, "--lang", "ur", HF_HUB_OFFLINE="1")
    assert done.returncode == 2 and done.stderr.startswith("HF_HUB_OFFLINE is set")
