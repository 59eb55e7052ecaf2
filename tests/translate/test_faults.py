"""A run against a server with every fault at once: no row is lost, none sent for nothing."""

import json
import zlib
from collections import Counter

import pytest

from palo.engines.open import open_engine
from palo.engines.stream import Weights
from palo.paths import DataPaths
from palo.schemas import TurnStatus
from palo.settings import EngineKind, ServerSettings, SourceSettings
from palo.shards import read_translated, shard_paths
from tests.faulty_server import Fault, FaultyServer
from translate.ingest import ingest
from translate.run import translate_language

NUM_SAMPLES = 5000
QUESTIONS = ("What is shown?", "What do you see?", "What is in the picture?")
OF_THE_RUN = (Fault.NO_KEY, Fault.NO_RIGHT, Fault.NO_MODEL)
FAULTS = [fault for fault in Fault if fault not in (Fault.NONE, *OF_THE_RUN)]
SAID = "یہ تصویر میں ایک ستارہ ہے۔"


def mark(asked):
    return "؟" if asked.endswith("?") else "۔"


def pick(asked, number):
    """Each fault for 1% of the texts, when they are asked first."""
    place = zlib.crc32(asked.encode()) % 100
    return FAULTS[place] if place < len(FAULTS) and number == 0 else Fault.NONE


def without_note(asked):
    """A retry's prompt says what was wrong with the last answer; it is the same segment."""
    return "\n".join(line for line in asked.split("\n") if not line.startswith("The last answer"))


@pytest.mark.slow
def test_one_percent_of_every_fault_in_5000_requests(tmp_path, make_job):
    samples = [
        {
            "id": str(n),
            "conversations": [
                {"from": "human", "value": QUESTIONS[n % len(QUESTIONS)]},
                {"from": "gpt", "value": f"The star in picture {n} is red."},
            ],
        }
        for n in range(NUM_SAMPLES)
    ]
    (tmp_path / "llava.json").write_text(json.dumps(samples), encoding="utf-8")
    paths = DataPaths(tmp_path / "data")
    ingest(SourceSettings(path=tmp_path / "llava.json"), paths.source_dir)
    faulty = FaultyServer(
        pick,
        lambda asked: f"{SAID} {zlib.crc32(asked.encode())}{mark(asked)}",
        without_note,
    )
    faulty.hang_s = 2.0
    with faulty.running():
        server = ServerSettings(base_url=faulty.url, concurrency=32, timeout_s=1.0)
        job = make_job("ur", signature="served", server=server)
        with open_engine(EngineKind.OPENAI, Weights("palo/served"), job.settings) as engine:
            report = translate_language(job, paths, engine)
    unique = NUM_SAMPLES + len(QUESTIONS)
    assert report.fill.sent == unique
    assert len(faulty.seen) == unique
    planned = Counter(pick(asked, 0) for asked in faulty.seen)
    assert all(30 <= planned[fault] <= 70 for fault in FAULTS)
    again = dict.fromkeys(FAULTS, 1) | {Fault.REFUSED: 0}
    assert sum(faulty.seen.values()) == unique + sum(planned[f] * again[f] for f in FAULTS)
    assert report.fill.retried == planned[Fault.EMPTY] + planned[Fault.WRONG]
    assert report.account.balanced
    assert report.account.by_status == {
        "translated": 2 * NUM_SAMPLES - planned[Fault.REFUSED],
        "failed": planned[Fault.REFUSED],
    }
    rows = [row for path in shard_paths(paths.translated("ur")) for row in read_translated(path)]
    ids = [row.sample_id.partition("-")[0] for row in rows]
    assert ids == [str(n) for n in range(NUM_SAMPLES)]
    for row in rows:
        status, text = row.meta[1].status, row.target[1].text
        assert (status is TurnStatus.FAILED) == (not text)
        assert not text or text.startswith(SAID)


def test_the_key_stands_nowhere_but_in_the_requests(tmp_path, make_job, monkeypatch, capfd):
    """This server repeats it in what it says of a refused request."""
    key = "sk-nobody-shall-see-this"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    turns = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A red star is shown."}]
    samples = [{"id": "1", "conversations": turns}]
    (tmp_path / "llava.json").write_text(json.dumps(samples), encoding="utf-8")
    paths = DataPaths(tmp_path / "data")
    ingest(SourceSettings(path=tmp_path / "llava.json"), paths.source_dir)
    faulty = FaultyServer(
        lambda asked, number: Fault.REFUSED if "star" in asked else Fault.NONE,
        lambda asked: SAID + mark(asked),
    )
    with faulty.running():
        job = make_job("ur", signature="served", server=ServerSettings(base_url=faulty.url))
        with open_engine(EngineKind.OPENAI, Weights("palo/served"), job.settings) as engine:
            report = translate_language(job, paths, engine)
    print(report.line)
    assert faulty.keys == {f"Bearer {key}"}
    assert report.account.by_status == {"translated": 1, "failed": 1}
    row = read_translated(shard_paths(paths.translated("ur"))[0])[0]
    assert "***" in row.meta[1].problem
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 4
    assert not [path for path in files if key.encode() in path.read_bytes()]
    assert key not in "".join(capfd.readouterr())
