"""Which cards are written, and which of them are stale."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data_cards.provenance import cards_dir
from palo.errors import MissingResource, UserError
from palo.files import write_json
from palo.schemas import REFINED
from palo.shards import shard_name, write_shard


def names():
    return sorted(path.name for path in cards_dir().glob("*.md"))


def test_every_card_is_written_that_there_is_data_for(profile, checkpoint, palo):
    assert palo("card").exit_code == 0
    assert names() == ["sample-7b.md", "sample-fr.md", "sample-mixture.md", "sample-ur.md"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--lang", "ur"), ["sample-ur.md"]),
        (("--lang", "all"), ["sample-fr.md", "sample-ur.md"]),
        (("--mixture",), ["sample-mixture.md"]),
        (("--scale", "7b", "--lang", "fr"), ["sample-7b.md", "sample-fr.md"]),
    ],
)
def test_cards_that_are_named_are_written_and_no_others(checkpoint, palo, words, expected):
    assert palo("card", *words).exit_code == 0
    assert names() == expected


def test_cards_that_cannot_be_made_say_what_comes_first(bare, palo):
    with pytest.raises(UserError, match="palo translate --lang all"):
        palo("card")
    with pytest.raises(UserError, match="palo translate --lang all"):
        palo("card", "--lang", "all")
    with pytest.raises(MissingResource, match="palo translate --lang ur"):
        palo("card", "--lang", "ur")
    with pytest.raises(UserError, match="palo card --mixture"):
        palo("card", "--lang", "mixture")
    with pytest.raises(MissingResource, match="palo train --scale 7b"):
        palo("card", "--scale", "7b")
    with pytest.raises(UserError, match="Did you mean '7b'"):
        palo("card", "--scale", "7c")
    assert names() == []


def test_fresh_cards_pass_the_check(checkpoint, palo):
    palo("card")
    done = palo("card", "--check")
    assert done.exit_code == 0
    assert done.output.count(": up to date") == 4


def test_no_card_is_nothing_to_complain_of(bare, palo):
    done = palo("card", "--check")
    assert (done.exit_code, done.output[:17]) == (0, "No card to check ")


def test_a_stale_card_names_what_changed_and_fails(profile, checkpoint, palo):
    palo("card")
    paths = profile.paths
    write_shard(paths.refined("ur") / shard_name(1), [], REFINED, {}, {"samples": 0})
    write_json(checkpoint / "palo.json", {"inputs": "other"})
    write_json(paths.translator_report, {"languages": {}, "chrf_signature": ""})
    done = palo("card", "--check")
    told = dict(line.split(": ", 1) for line in done.output.split("\n") if ": " in line)
    assert done.exit_code == 1
    assert told["sample-7b.md is stale"].startswith("checkpoint changed. Run palo card")
    assert told["sample-ur.md is stale"].startswith(
        "translator's fine-tune new, ur refined shards changed."
    )
    assert told["sample-fr.md is stale"].startswith("translator's fine-tune new. ")
    assert palo("card").exit_code == palo("card", "--check").exit_code == 0


def test_a_language_that_came_later_makes_the_mixtures_card_stale(profile, palo):
    paths = profile.paths
    aside = profile.data_dir / "aside"
    paths.refined("fr").rename(aside)
    palo("card", "--mixture")
    aside.rename(paths.refined("fr"))
    done = palo("card", "--check")
    assert done.exit_code == 1 and "fr refined shards new" in done.output


def test_a_card_without_its_data_on_this_machine_passes_with_a_note(profile, checkpoint, palo):
    palo("card")
    shutil.rmtree(profile.data_dir)
    done = palo("card", "--check")
    assert done.exit_code == 0
    assert "sample-ur.md: its data are not on this machine (sample, ur)" in done.output
    assert "sample-7b.md: its data are not on this machine (sample, 7b)" in done.output


def test_the_check_looks_at_all_profiles_or_at_one(profile, palo):
    palo("card", "--lang", "ur")
    path = cards_dir() / "gone-ur.md"
    text = (cards_dir() / "sample-ur.md").read_text(encoding="utf-8")
    path.write_text(text.replace('"profile": "sample"', '"profile": "gone"'), encoding="utf-8")
    assert "has no profile gone any more" in palo("card", "--check").output
    assert palo("card", "--check", "--profile", "palo").output.startswith("No card to check")
    path.write_text("# by hand\n", encoding="utf-8")
    done = palo("card", "--check")
    assert done.exit_code == 1 and "it has no provenance that palo wrote" in done.output


def test_importing_the_stage_loads_nothing_heavy():
    program = (
        "import sys, data_cards.cli; print({'torch', 'transformers', 'datasets'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n"


# `make test` itself hands its flags on to every make below it.
WITHOUT_MAKE = {name: value for name, value in os.environ.items() if "MAKE" not in name}


def test_make_check_asks_for_the_cards():
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "check", "HARDWARE=cpu"],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, env=WITHOUT_MAKE,
    )  # fmt: skip
    assert done.stdout.rstrip().endswith(".venv/bin/palo card --check")
