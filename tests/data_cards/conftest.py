"""A small run of the sample profile: two languages refined for real, a checkpoint's records."""

import json
import shutil

import pytest
import yaml
from typer.testing import CliRunner

from palo import cli
from palo.files import write_json
from palo.schemas import (
    SOURCE,
    TRANSLATED,
    Role,
    Sample,
    TranslatedSample,
    Turn,
    TurnMeta,
    TurnStatus,
)
from palo.settings import load_profile
from palo.shards import shard_name, to_row, write_shard
from refine.run import refine_language

PICTURE = "<image>\nWhat colour is the circle?"
# (source id, image, turns of English, Urdu, French); ids repeat, as LLaVA's do
CONVERSATIONS = (
    (
        "000000000001",
        "a.jpg",
        (
            (PICTURE, "<image>\nدائرہ کس رنگ کا ہے؟", "<image>\nDe quelle couleur est le cercle ?"),
            ("The circle is red.", "دائرہ سرخ ہے۔", "Le cercle est rouge."),
        ),
    ),
    (
        "text only | `x` <b>",
        None,
        (
            ("Is a square round?", "کیا مربع گول ہوتا ہے؟", "Un carré est-il rond ?"),
            (
                "No | it has `four` corners.\n\n| --- |\n# <b>no</b>",
                "نہیں | اس کے `four` کونے ہیں۔\n\n| --- |\n# <b>نہیں</b>",
                "Non | il a `four` coins.\n\n| --- |\n# <b>non</b>",
            ),
        ),
    ),
    (
        "000000000001",
        "a.jpg",
        (
            (PICTURE, "<image>\nدائرہ کس رنگ کا ہے؟", "<image>\nDe quelle couleur est le cercle ?"),
            ("The circle is red.", "دائرہ سرخ ہے۔", "Le cercle est rouge."),
            ("What colour is the star?", "ستارہ کس رنگ کا ہے؟", "De quelle couleur est l'étoile ?"),
            # English left in: the Urdu is cut before this round
            ("The star is blue.", "The star is blue.", "L'étoile est bleue."),
        ),
    ),
    (
        "lost",
        "b.jpg",
        (
            ("<image>\nHow many stars are there?", "", "<image>\nCombien d'étoiles y a-t-il ?"),
            ("There are three stars.", "", "Il y a trois étoiles."),
        ),
    ),
)
ROLES = (Role.HUMAN, Role.GPT)
SIGNATURE = "scripted 0123456789abcdef"
_made = {}


def turns_of(column, turns):
    return tuple(Turn(ROLES[at % 2], turn[column]) for at, turn in enumerate(turns))


def sources():
    return [
        Sample(f"{source_id}-{at}", source_id, image, turns_of(0, turns), "source.json")
        for at, (source_id, image, turns) in enumerate(CONVERSATIONS)
    ]


def translated(lang):
    column, found = ("en", "ur", "fr").index(lang), []
    for sample, (_, _, turns) in zip(sources(), CONVERSATIONS, strict=True):
        target = turns_of(column, turns)
        metas = []
        for at, turn in enumerate(target):
            status = TurnStatus.TRANSLATED if turn.text else TurnStatus.FAILED
            problem = "" if turn.text else "empty"
            metas.append(
                TurnMeta(status, 1, "stop", -0.1, "scripted", SIGNATURE, f"{at:02x}", problem)
            )
        found.append(
            TranslatedSample(
                sample.sample_id,
                sample.source_id,
                lang,
                sample.image,
                sample.turns,
                target,
                tuple(metas),
                "source.json",
            )
        )
    return found


def build(profile):
    """Shards as ingest and translate leave them, then refine and its report for real."""
    paths = profile.paths
    rows = sources()
    turns = sum(len(row.turns) for row in rows)
    counts = {"samples": len(rows), "turns": turns}
    path = paths.source_dir / shard_name(0)
    write_shard(path, [to_row(row) for row in rows], SOURCE, {}, counts)
    write_json(paths.source_dir / "manifest.json", {"report": {**counts, "set_aside": 2}})
    for lang in ("ur", "fr"):
        found = translated(lang)
        folder = paths.translated(lang)
        shard = [to_row(row) for row in found]
        write_shard(folder / shard_name(0), shard, TRANSLATED, {}, counts)
        failed = sum(meta.status is TurnStatus.FAILED for row in found for meta in row.meta)
        by_status = {"translated": turns - failed} | ({"failed": failed} if failed else {})
        write_json(
            folder / "manifest.json",
            {
                "lang": lang,
                **counts,
                "by_status": by_status,
                "signature": SIGNATURE,
                "prompt_version": "p1.2",
                "audit": {"whole": True},
            },
        )
        refine_language(profile, lang, False, "2026-01-01")
    done = CliRunner().invoke(cli.app, ["refine", "report"])
    assert done.exit_code == 0, done.output


@pytest.fixture
def bare(project):
    """The sample profile without any data, under the policy that cuts."""
    path = project / "pipelines.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings["profiles"]["sample"]["refine"] = {"policy": "cut", "audit_rows": 2}
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    return load_profile("sample")


@pytest.fixture
def profile(bare, tmp_path_factory):
    """The sample profile with Urdu and French refined."""
    if not _made:
        build(bare)
        _made["data"] = tmp_path_factory.mktemp("made") / "data"
        shutil.copytree(bare.data_dir, _made["data"])
    else:
        shutil.copytree(_made["data"], bare.data_dir)
    return bare


@pytest.fixture
def audited(profile):
    """Sets what the report says of a language's audit."""

    def change(lang, errors, rows, acceptance):
        path = profile.data_dir / "refine-report.json"
        report = json.loads(path.read_text(encoding="utf-8"))
        audit = {"translator": f"scripted {SIGNATURE}", "num_rows": rows, "num_errors": errors}
        audit |= {"low": 0.01, "high": 0.125, "acceptance": acceptance}
        report["languages"][lang]["audits"] = [audit]
        write_json(path, report)

    return change


@pytest.fixture
def checkpoint(profile):
    """What training and evaluation leave of 7b, without weights worth the name."""
    paths = profile.paths
    folder = paths.checkpoint("7b")
    palo = {"projector": "mlp2", "layout": "hf"}
    write_json(folder / "config.json", {"model_type": "llava", "palo": palo})
    write_json(folder / "palo.json", {"inputs": "abc", "scale": "7b"})
    (folder / "model.safetensors").write_bytes(b"weights")
    logs = {"stage2": [{"loss": 2.5, "step": 1}, {"loss": 0.5, "step": 40}, {"step": 40}]}
    cut = {"stage2": {"ur": {"cut": 1, "unusable": 0}}}
    lost = {"stage2": [{"id": "x", "reason": f"no picture {folder}/x.jpg"}]}
    training = {"scale": "7b", "logs": logs, "seconds": {"stage2": 61.0}, "cut": cut}
    training |= {"mixture": {"en": 4, "ur": 3}, "set_aside": lost}
    write_json(folder / "training.json", training)
    row = {"questions": 100, "accuracy": 0.9, "accuracy_shuffled": 0.3, "chance": 0.25}
    row |= {"reasoning": None, "fidelity": 0.5}
    languages = {"en": row, "ur": {**row, "accuracy": 0.26}}
    write_json(paths.evaluation("7b"), {"scale": "7b", "languages": languages, "examples": []})
    return folder


@pytest.fixture
def palo():
    """Runs a command in this process; its exit code, or the error that main would print."""

    def run(*words):
        done = CliRunner().invoke(cli.app, list(words))
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run
