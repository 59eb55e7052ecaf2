"""What programs and people see of a run: events, metrics, lines; every time is told, none read."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from palo.engines.stream import ScriptedEngine
from palo.errors import UserError
from translate.events import (
    Failed,
    Meter,
    MetricsFile,
    Progress,
    Started,
    display,
    event_file,
    plain_line,
)
from translate.fill import FillCounts
from translate.run import translate_language


def nowhere(event):
    """A sink that nobody watches."""


def counts(turns, wanted, finished, tokens, with_work=None):
    found = FillCounts(sent=wanted, output_tokens=tokens, finished=finished)
    found.read(turns, 0, wanted)
    found.turns_with_work = turns if with_work is None else with_work
    return found


def stand(**changes):
    values = {
        "lang": "fr", "turns": 1000, "turns_done": 600, "sent": 100, "finished": 90, "reused": 500,
        "copied": 0, "retried": 3, "failures": {"empty": 2}, "prompt_tokens": 9,
        "output_tokens": 1800, "output_tokens_per_s": 20.0, "segments_per_s": 1.0, "eta_s": 3723.0,
        "elapsed_s": 90.0,
    }  # fmt: skip
    return Progress(**{**values, **changes})


def test_time_left_follows_the_speed_of_answers_not_of_memory_hits():
    meter = Meter("fr", 2000, nowhere, lambda: 0.0)
    assert meter.look(1.0, counts(1000, 0, 0, 0, 0)).eta_s is None  # a thousand hits at once
    meter.look(2.0, counts(1100, 100, 10, 200, 100))
    seen = meter.look(12.0, counts(1100, 100, 30, 600, 100))
    assert (seen.segments_per_s, seen.output_tokens_per_s) == (2.0, 40.0)
    assert seen.eta_s == (70 + 900) / 2.0  # of shards with work every turn wanted a request
    assert seen.turns_done == 1030


def test_speed_is_that_of_the_last_minute():
    meter = Meter("fr", 100_000, nowhere, lambda: 0.0)
    for second in range(1, 301):
        slow, fast = min(second, 200), max(0, second - 200)
        seen = meter.look(float(second), counts(9000, 9000, slow + 10 * fast, 0))
    assert seen.segments_per_s == pytest.approx(10.0)


def test_a_run_tells_its_story_and_the_next_adds_to_it(paths, make_job, tmp_path):
    times = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(10_000))
    events_path = tmp_path / "run" / "events.jsonl"
    for _ in range(2):
        with event_file(events_path, lambda: next(times)) as sink:
            translate_language(make_job(), paths, ScriptedEngine(), False, sink)
        with events_path.open("a", encoding="utf-8") as file:
            file.write('{"event": "pro')  # a kill in the middle of a line
    lines = events_path.read_text(encoding="utf-8").split("\n")
    told = [json.loads(line) for line in lines if line.endswith("}")]
    kinds = [one["event"] for one in told if one["event"] != "progress"]
    assert kinds == [
        "started", *["shard written"] * 6, "language finished", "started", "language finished",
    ]  # fmt: skip
    last = [one for one in told if one["event"] == "language finished"]
    assert [one["sent"] for one in last] == [49, 0]
    assert all(one["whole"] and one["audit"]["source_turns"] == 160 for one in last)
    assert [one["time"] for one in told] == sorted(one["time"] for one in told)
    final = [one for one in told if one["event"] == "progress"][-1]
    assert (final["turns_done"], final["reused"]) == (160, 160)


def test_an_error_is_an_event_and_goes_on_as_it_was(paths, make_job):
    def broken(request):
        raise UserError("the engine is gone")

    told = []
    with pytest.raises(UserError, match="the engine is gone"):
        translate_language(make_job(), paths, ScriptedEngine(script=broken), False, told.append)
    assert told[-1] == Failed("fr", "UserError", "the engine is gone")


def test_metrics_are_prometheus_text_with_a_language(tmp_path):
    path = tmp_path / "palo.prom"
    metrics = MetricsFile(path, lambda: 0.0)
    metrics(Started("fr", 1000, "s", "p"))
    metrics(stand())  # too soon after the last to be written
    metrics(Failed("fr", "UserError", "x"))
    lines = path.read_text().split("\n")
    assert 'palo_translate_turns_done{lang="fr"} 600.0' in lines
    assert 'palo_translate_sent_total{lang="fr"} 100.0' in lines
    assert 'palo_translate_failures_total{lang="fr",reason="empty"} 2.0' in lines
    assert 'palo_translate_eta_seconds{lang="fr"} 3723.0' in lines
    assert 'palo_translate_output_tokens_per_second{lang="fr"} 20.0' in lines
    assert 'palo_translate_errors_total{lang="fr"} 1.0' in lines
    assert [one.name for one in tmp_path.iterdir()] == ["palo.prom"]


def test_elsewhere_than_on_a_terminal_a_plain_line_comes_every_ten_seconds():
    out = io.StringIO()
    times = iter([0.0, 4.0, 10.0, 15.0, 21.0])
    with display(Console(file=out, width=200), lambda: next(times)) as sink:
        for _ in range(4):
            sink(stand())
    assert out.getvalue() == f"{plain_line(stand())}\n" * 2
    assert plain_line(stand()) == (
        "fr: 600 of 1,000 turns, 20 tokens/s, 1:02:03 left; "
        "100 sent, 500 from memory, 3 retries, 2 failed: empty 2"
    )
    assert "waiting for the engine" in plain_line(stand(finished=0))
