"""Sources that no tool was made for: each costs at most its own row, and texts stay as they are."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from palo.engines.open import open_engine
from palo.engines.stream import ScriptedEngine, Weights
from palo.paths import DataPaths
from palo.schemas import TurnStatus
from palo.settings import EngineKind, SourceSettings
from palo.shards import read_samples, read_translated, shard_paths
from translate.ingest import ingest
from translate.run import translate_language
from translate.segments import cut

REPO_DIR = Path(__file__).resolve().parents[2]
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
ODD_TEXTS = {
    "family": f"A family {FAMILY} waves {FAMILY}",
    "flags and skins": "Flag \U0001f1fa\U0001f1f3, hand \U0001f44b\U0001f3fd, key 1\ufe0f\u20e3.",
    "bidi": "".join(
        f"a{mark}b " for mark in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    ),
    "line separators": "one\u2028two\u0085three\u2029four\x0bfive\x0csix\r\nseven",
    "zero width": "\ufeffstart\u200bmiddle\u200c\u200d\u2060end\u00ad",
    "combining": "e\u0301 \u0958 \u09dc ﷺ " + "z" + "\u0300" * 40,
    "controls": "bell\x07 escape\x1b[31m delete\x7f \x80\x9f",
    "private and unassigned": "name \ue000 \U0010ffff \ufffe \ufdd0",
}


def item(source_id, answer):
    """The JSON of one sample."""
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": answer}]
    return json.dumps({"id": source_id, "conversations": turns})


def source_of(paths):
    return [one for path in shard_paths(paths.source_dir) for one in read_samples(path)]


@pytest.fixture
def read(tmp_path):
    """Ingests conversations, each a list of texts; returns where its data is."""

    def make(*conversations):
        items = [
            {
                "id": str(number),
                "conversations": [
                    {"from": ("human", "gpt")[at % 2], "value": text}
                    for at, text in enumerate(texts)
                ],
            }
            for number, texts in enumerate(conversations)
        ]
        (tmp_path / "llava.json").write_text(json.dumps(items), encoding="utf-8")
        paths = DataPaths(tmp_path / "data")
        ingest(SourceSettings(path=tmp_path / "llava.json"), paths.source_dir)
        return paths

    return make


def translated(paths, job, engine=None):
    report = translate_language(job, paths, engine or ScriptedEngine())
    folder = paths.translated(job.lang)
    return report, [row for path in shard_paths(folder) for row in read_translated(path)]


def test_odd_characters_are_carried_byte_for_byte_and_structure_is_kept(read, make_job):
    texts = [[f"What is {name}?", text] for name, text in ODD_TEXTS.items()]
    paths = read(*texts)
    assert [[turn.text for turn in one.turns] for one in source_of(paths)] == texts
    report, rows = translated(paths, make_job())
    assert [[turn.text for turn in row.source] for row in rows] == texts
    assert [[turn.role for turn in row.target] for row in rows] == [["human", "gpt"]] * len(texts)
    assert report.account.by_status == {"translated": 2 * len(texts)}
    assert rows[0].target[1].text.count(FAMILY) == 2
    for picture in ("\U0001f1fa\U0001f1f3", "\U0001f44b\U0001f3fd", "1\ufe0f\u20e3"):
        assert rows[1].target[1].text.count(picture) == 1


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_odd_characters_come_back_from_a_segment_byte_for_byte(text):
    found = cut(f"<image>\n{text}\n")
    assert found.restore(found.text) == f"<image>\n{text}\n"


def long_text(num_chars):
    words = (f"word{number} `c{number}`" for number in range(num_chars))
    text = ""
    parts = []
    while len(text) < num_chars:
        parts += [next(words) for _ in range(100)]
        text = " ".join(parts)
    return text[: num_chars - 1] + "."


def test_a_turn_of_100000_characters_is_translated_and_its_spans_restored(read, make_job):
    text = long_text(100_000)
    paths = read(["What?", text], ["Who?", "Ana."])
    report, rows = translated(paths, make_job())
    assert rows[0].source[1].text == text
    spans = cut(text).spans
    assert len(spans) > 5000
    assert [rows[0].target[1].text.split(" ")[1:-1]] == [list(spans)]
    assert report.account.by_status == {"translated": 4}


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\n" * 99_998 + "b",
        "`" * 99_999 + "a",
        "$" * 99_999 + "a",
        "<a " * 33_000,
        "<image>" * 14_000 + "a" + " " * 99,
        "[0.1, " * 16_000 + "a",
        "a" * 100_000,
        "{" * 99_999 + "a",
    ],
    ids=lambda text: ascii(text[:7]),
)
@pytest.mark.timeout(60)
def test_no_text_of_100000_characters_holds_up_the_run(text):
    found = cut(text)
    assert found.restore(found.text) == text


def test_a_conversation_of_500_turns_keeps_every_turn_in_its_place(read, make_job):
    texts = [f"What is thing {at}?" if at % 2 == 0 else f"Thing {at}." for at in range(500)]
    paths = read(texts)
    report, [row] = translated(paths, make_job())
    assert [turn.text for turn in row.source] == texts
    assert [turn.role for turn in row.target] == ["human", "gpt"] * 250
    assert len({turn.text for turn in row.target}) == 500
    assert report.account.by_status == {"translated": 500}


@pytest.fixture
def tiny_model(tmp_path):
    from sceneworld.standins.tiny import tiny_llama, train_tokenizer

    tokenizer = train_tokenizer(["what who is the word of star"] * 20, 300)
    model = tiny_llama(tokenizer, hidden_size=32, layers=1, heads=2, max_position=2048, seed=3)
    model.save_pretrained(tmp_path / "tiny")
    tokenizer.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def test_a_turn_over_the_models_context_is_that_rows_failure(read, make_job, tiny_model):
    text = long_text(100_000)
    paths = read(["What?", text], ["Who?", "Ana."])
    job = make_job(model=str(tiny_model), max_model_tokens=2048, max_tokens=8)
    with open_engine(EngineKind.TRANSFORMERS, Weights(job.settings.model), job.settings) as engine:
        report, rows = translated(paths, job, engine)
    failed = rows[0].meta[1]
    assert failed.status is TurnStatus.FAILED
    assert failed.problem.startswith("engine error: the prompt has ")
    assert failed.problem.endswith("the model takes 2048 with its answer")
    assert rows[0].source[1].text == text
    assert report.account.balanced
    assert all("engine" not in meta.problem for meta in (*rows[0].meta[:1], *rows[1].meta))


def test_malformed_utf8_between_and_inside_items_costs_only_what_it_is_in(tmp_path):
    bad = {1: b"\xff", 2: b"\xc3", 4: b"\xe2\x82", 5: b"\xed\xa0\x80"}
    items = [item(str(n), "MARK").replace("MARK", "é").encode() for n in range(7)]
    items = [one.replace("é".encode(), bad.get(n, "é".encode())) for n, one in enumerate(items)]
    (tmp_path / "llava.json").write_bytes(b"[" + b",".join(items) + b"]")
    report = ingest(SourceSettings(path=tmp_path / "llava.json"), tmp_path / "source")
    aside = (tmp_path / "source" / "set-aside.jsonl").read_text(encoding="utf-8").split("\n")
    found = [json.loads(line) for line in aside if line]
    assert [(line["index"], line["id"], line["reason"]) for line in found] == [
        (n, str(n), "turn 2 holds a lone surrogate or invalid UTF-8") for n in bad
    ]
    assert (report.samples, report.set_aside, report.broken) == (3, 4, "")
    samples = read_samples(shard_paths(tmp_path / "source")[0])
    assert [(one.source_id, one.turns[1].text) for one in samples] == [(n, "é") for n in "036"]


PEAK_OF_INGEST = """
import sys
from pathlib import Path
from palo.settings import SourceSettings
from translate.ingest import ingest

ingest(SourceSettings(path=Path(sys.argv[1])), Path(sys.argv[2]))
status = Path("/proc/self/status").read_text(encoding="utf-8").split("\\n")
print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))
"""


def peak_mib(source_path, folder):
    """Peak memory of a process that only ingests."""
    command = [sys.executable, "-c", PEAK_OF_INGEST, str(source_path), str(folder)]
    done = subprocess.run(command, cwd=REPO_DIR, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["word ", "ن", "\U0001f31f", "\\n"], ids=ascii)
def test_a_turn_of_200_mb_is_refused_by_name_in_bounded_memory(tmp_path, piece):
    head, tail = item("huge", "MARK").split("MARK")
    path = tmp_path / "llava.json"
    block = piece * ((1 << 20) // len(piece.encode()))
    with path.open("w", encoding="utf-8") as file:
        file.write(f"[{item('before', 'a')}, {head}")
        for _ in range(200):
            file.write(block)
        file.write(f"{tail}, {item('after', 'b')}]")
    (tmp_path / "plain.json").write_text(f"[{item('before', 'a')}]", encoding="utf-8")
    peak = peak_mib(path, tmp_path / "source")
    [line] = (tmp_path / "source" / "set-aside.jsonl").read_text().strip().split("\n")
    found = json.loads(line)
    assert (found["index"], found["id"]) == (1, "huge")
    assert f"over {16 << 20}" in found["reason"]
    samples = read_samples(shard_paths(tmp_path / "source")[0])
    assert [one.source_id for one in samples] == ["before", "after"]
    assert peak - peak_mib(tmp_path / "plain.json", tmp_path / "plain") < 400
