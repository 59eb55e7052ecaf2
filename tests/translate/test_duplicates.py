"""The detail prompts of LLaVA-Instruct are 11 strings used 23,000 times: each is sent once."""

import json
from itertools import islice

import pytest

from palo.engines.stream import ScriptedEngine
from palo.paths import DataPaths
from palo.settings import Context, SourceSettings
from palo.shards import read_translated, shard_paths
from translate.ingest import ingest
from translate.run import translate_language

NUM_SAMPLES = 23_000
PROMPTS = [f"Describe the following image in way {number}." for number in range(11)]


class Windowed(ScriptedEngine):
    """Pulls many requests before it answers the last of them first, as real engines may."""

    def __init__(self, window):
        super().__init__()
        self.tags = []
        self._window = window

    def stream(self, requests):
        while pulled := list(islice(requests, self._window)):
            self.tags += [request.tag for request in pulled]
            yield from super().stream(reversed(pulled))


@pytest.fixture
def paths(tmp_path):
    with (tmp_path / "llava.json").open("w", encoding="utf-8") as file:
        for number in range(NUM_SAMPLES):
            prompt = PROMPTS[number * 7 % 11] + ("\n<image>" if number % 2 else "")
            turns = [
                {"from": "human", "value": prompt if number % 2 else f"<image>\n{prompt}"},
                {"from": "gpt", "value": f"A picture of thing {number % 20_000}."},
            ]
            item = {"id": str(number), "image": f"{number}.jpg", "conversations": turns}
            file.write(("," if number else "[") + json.dumps(item))
        file.write("]")
    found = DataPaths(tmp_path / "data")
    ingest(SourceSettings(path=tmp_path / "llava.json"), found.source_dir)
    return found


@pytest.mark.parametrize("window", [1, 5000])
def test_requests_sent_are_the_unique_segments_of_all_shards_exactly(paths, make_job, window):
    assert len(shard_paths(paths.source_dir)) == 23
    engine = Windowed(window)
    job = make_job(context=Context.NONE)
    report = translate_language(job, paths, engine)
    assert report.fill.sent == engine.sent == len(set(engine.tags)) == 11 + 20_000
    assert report.account.by_status == {"translated": 2 * NUM_SAMPLES}
    said = {}
    for path in shard_paths(paths.translated("fr")):
        for row in read_translated(path):
            for source, target in zip(row.source, row.target, strict=True):
                text = target.text.replace("<image>", "").strip()
                said.setdefault(source.text.replace("<image>", "").strip(), set()).add(text)
    assert len(said) == 11 + 20_000
    assert {len(texts) for texts in said.values()} == {1}


def test_an_answer_is_sent_once_for_each_question_it_answers(paths, make_job):
    engine = Windowed(5000)
    report = translate_language(make_job(), paths, engine)
    # sample n + 20,000 repeats the answer of sample n under another prompt
    assert report.fill.sent == len(set(engine.tags)) == 11 + NUM_SAMPLES
