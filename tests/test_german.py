"""A language is one row and one prompt file: docs/extending.md's, in a copy of the code."""

import ast
import csv
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.page_commands import section
from tests.faulty_server import Fault, FaultyServer

REPO_DIR = Path(__file__).resolve().parent.parent
PACKAGES = ("palo", "translate", "refine", "train", "sceneworld", "data_cards")
PAGE = section("docs/extending.md", "Adding a language")
TABLE = "palo/languages.py"
PROMPT = "translate/prompts/de.yaml"
pytestmark = pytest.mark.slow
GERMAN = dict(
    line.split("\t")
    for line in (REPO_DIR / "tests/golden/german_pairs.tsv").read_text("utf-8").splitlines()[1:]
)


def block(kind):
    """The page's one block of that kind."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    return found


ROW = f"    {block('python').strip()},"


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for package in PACKAGES
        for path in (folder / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The packages with the page's row and prompt."""
    root = tmp_path_factory.mktemp("code")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPO_DIR / package, root / package, ignore=ignored)
    table = root / TABLE
    head, rows, tail = re.split(
        r"(?<=\n_ROWS = \()(.*?\n)(?=\)\n)", table.read_text("utf-8"), flags=re.S
    )
    table.write_text(f"{head}{rows}{ROW}\n{tail}", encoding="utf-8")
    (root / PROMPT).write_text(block("yaml"), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def place(copy, tmp_path_factory):
    """A project whose translator is a server that knows the sixty sentences."""
    root = tmp_path_factory.mktemp("project")
    asked = list(GERMAN)
    samples = [
        {
            "id": f"{at:03}",
            "image": f"{at:03}.jpg",
            "conversations": [
                {"from": "human", "value": f"<image>\n{asked[at]}"},
                {"from": "gpt", "value": asked[at + 1]},
            ],
        }
        for at in range(0, len(asked), 2)
    ]
    (root / "llava.json").write_text(json.dumps(samples), encoding="utf-8")
    server = FaultyServer(
        lambda text, number: Fault.NONE,
        lambda text: GERMAN[text],
        lambda message: message.rsplit("\nText: ", 1)[1],
    )
    with server.running():
        settings = yaml.safe_load((REPO_DIR / "pipelines.yaml").read_text("utf-8"))
        sample = settings["profiles"]["sample"]
        sample["source"] = {"path": "llava.json", "images_dir": "images"}
        sample["translator"] = {
            "model": "scripted",
            "finetuned_dir": "tuned",
            "engine": "openai",
            "max_attempts": 1,
            "server": {"base_url": server.url, "logprobs": False},
        }
        sample["train"]["scales_dir"] = str(REPO_DIR / "train/scales/sample")
        sample["refine"] = {"audit_rows": 5}
        sample["world"] |= {
            "source_images": 4, "corpus_scenes": 10, "caption_images": 4, "text_scenes": 4,
            "parallel_text_scenes": 2, "evaluation_images": 2,
        }  # fmt: skip
        (root / "pipelines.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        yield root


@pytest.fixture(scope="module")
def palo(copy, place):
    """Runs `palo` of the copy in the project; its output, and what it says on standard error."""

    def run(*arguments, program=None):
        what = ["-c", program] if program else ["-m", "palo", *arguments]
        done = subprocess.run(
            [sys.executable, *what],
            cwd=place, env={**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "200"},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, done.stderr

    return run


def test_the_difference_is_one_row_and_one_file(copy):
    ours, theirs = files_of(REPO_DIR), files_of(copy)
    changed = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    assert changed == {TABLE, PROMPT}
    before, after = (files[TABLE].decode().splitlines() for files in (ours, theirs))
    lines = [line for line in difflib.ndiff(before, after) if line[0] in "+-?"]
    assert lines == [f"+ {ROW}"]


def rows_of(palo, *arguments):
    out, err = palo("refine", "check", *arguments, "--lang", "de")
    return [json.loads(line) for line in out.splitlines()], err


def test_german_is_translated_judged_and_goes_out_for_review(palo, place):
    out, _ = palo("translate", "--lang", "de", "--source", "llava.json")
    assert "de: 31 samples, 62 turns = 0 verified + 62 translated + 0 copied + 0 failed" in out
    out, err = palo("refine", "--lang", "de", "--source", "llava.json")
    assert "de: no bands of its own yet, so those of fr es serve" in out + err
    kept = re.search(r"│ de +│ +31 │ +(\d+) │", out)
    assert int(kept[1]) >= 28
    (folder,) = (place / "data/sample/sources").glob("*/review/de")
    reviewed = [
        row
        for path in sorted(folder.glob("batch-*.csv"))
        for row in csv.DictReader(path.read_text("utf-8-sig").splitlines())
    ]
    assert {row["lang"] for row in reviewed} == {"de"}
    assert len(reviewed) >= 5  # the audit's, at least
    out, _ = palo("review", "status", "--source", "llava.json")
    assert " de " in out
    palo("review", "export", "--only", "review", "--lang", "de", "--source", "llava.json")


def test_right_german_passes_the_filters_and_wrong_german_does_not(palo, place):
    """Language ID takes two of the sixty-two, questions of four words, for English."""
    rows, err = rows_of(palo, str(REPO_DIR / "tests/golden/german_pairs.tsv"))
    assert len(rows) == len(GERMAN) == 62
    flagged = [row["target"] for row in rows if row["verdict"] in ("review", "reject")]
    assert flagged == ["Was machen die Kinder?", "Was schaut die Katze an?"]
    assert "de: no bands of its own yet" in err
    english, german = list(GERMAN.items())[3]
    wrong = {
        "in French": "Il y a trois personnes sur cette photo : deux femmes et un homme.",
        "in Russian": "На фотографии три человека: две женщины и один мужчина.",
        "English": "There are three people: two women and a man.",
        "a preamble": f"In German: {german}",
        "a refusal": "I'm sorry, but I cannot translate this text.",
        "cut off": german[:12],
        "English left in": german.replace("zwei Frauen", "two women"),
    }
    (place / "wrong.tsv").write_text(
        "source\ttarget\n" + "".join(f"{english}\t{text}\n" for text in wrong.values()), "utf-8"
    )
    rows, _ = rows_of(palo, "wrong.tsv")
    passed = [
        name for name, row in zip(wrong, rows, strict=True) if row["verdict"] in ("pass", "note")
    ]
    assert passed == []


def test_german_gets_bands_of_its_own(palo, place):
    """Two sentences make a text, so that sixty of them make as many as are asked for."""
    pairs, count = list(GERMAN.items()), len(GERMAN)
    texts = [
        tuple(
            f"{one} {other}"
            for one, other in zip(pairs[at], pairs[(at + step) % count], strict=True)
        )
        for step in range(1, 5)
        for at in range(count)
    ]
    lines = "".join(f"{english}\t{german}\n" for english, german in texts)
    (place / "verified.tsv").write_text("source\ttarget\n" + lines, "utf-8")
    palo("refine", "calibrate", "verified.tsv", "--lang", "de", "--output", "bands.yaml")
    bands = yaml.safe_load((place / "bands.yaml").read_text("utf-8"))["languages"]
    assert list(bands) == ["de"]
    low, high = bands["de"]["length_ratio"]
    assert 0.75 < low < bands["de"]["usual_ratio"] < high < 1.6
    settings = (place / "pipelines.yaml").read_text("utf-8")
    own = settings.replace("audit_rows: 5", "audit_rows: 5\n      thresholds_path: bands.yaml")
    (place / "pipelines.yaml").write_text(own, "utf-8")
    _, err = rows_of(palo, "verified.tsv")
    (place / "pipelines.yaml").write_text(settings, "utf-8")
    assert "no bands" not in err


def test_with_all_languages_at_work_german_is_in_the_mixture_and_nothing_breaks(palo, place):
    """The server says everything in German, so other languages' turns fail, and are said to."""
    out, _ = palo("translate", "--lang", "all")
    assert "de: 31 samples, 62 turns = 0 verified + 62 translated + 0 copied + 0 failed" in out
    assert re.search(r"ja: 31 samples, 62 turns = .* 62 failed", out)
    out, _ = palo("refine")
    assert re.search(r"│ de +│ +31 │", out)
    out, _ = palo("status")
    assert out.rstrip().splitlines()[-1].split()[:4] == ["de", "German", "31", "31"]
    program = (
        "from palo.settings import load_profile\n"
        "from train.data.mixture import open_mixture\n"
        "print(open_mixture(load_profile('sample')).counts)\n"
    )
    out, _ = palo(program=program)
    counts = ast.literal_eval(out)
    assert counts["en"] == 31 and counts["de"] >= 28
    assert palo("card") and palo("report")


def test_the_sample_world_and_its_stand_ins_speak_their_ten_languages_still(palo, place):
    palo("sample", "build")
    world = place / "data/sample/world"
    (first, *_) = (world / "evaluation.jsonl").read_text("utf-8").splitlines()
    assert len(json.loads(first)["questions"]) == 10
    program = (
        "from pathlib import Path\n"
        "from sceneworld.standins.translator import corpus_languages\n"
        "from train.evaluation.held_out import parse_questions\n"
        "import json, sys\n"
        f"world = Path({str(world)!r})\n"
        "rows = map(json.loads, (world / 'evaluation.jsonl').open())\n"
        "print(len(corpus_languages(world / 'corpus.jsonl')), "
        "len({item.lang for item in parse_questions(rows, world)}))\n"
    )
    assert palo(program=program)[0] == "9 10\n"
