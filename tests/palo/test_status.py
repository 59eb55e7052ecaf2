"""Where a run stands, from records and manifests alone."""

import io
import re

from rich.console import Console

from palo import report
from palo.languages import TARGETS
from palo.report import LanguageStatus
from palo.settings import load_profile
from palo.shards import shard_name


def shown(rows, width=80):
    output = io.StringIO()
    Console(file=output, width=width).print(report.status_table(rows))
    return output.getvalue()


def cells(text, name):
    line = next(line for line in text.splitlines() if name in line)
    return re.split(r"\s{2,}", line.strip())


def test_before_any_run_everything_is_zero(project):
    rows = report.collect_status(load_profile("sample"))
    assert rows == [LanguageStatus(lang, 0, 0, 0, 0, 0) for lang in TARGETS]


def test_each_language_counts_its_own_work(run_data):
    rows = {row.lang: row for row in report.collect_status(run_data)}
    assert rows["ur"] == LanguageStatus("ur", 3, 2, 1, 1, 3)
    assert rows["fr"] == LanguageStatus("fr", 3, 0, 0, 0, 0)
    assert (rows["ur"].left, rows["fr"].left) == (1, 3)


def test_shards_are_not_opened(run_data):
    for path in run_data.paths.source_dir.glob("*.parquet"):
        path.write_bytes(b"")
    assert report.collect_status(run_data)[0].source == 3


def test_a_shard_without_a_record_does_not_count(run_data):
    (run_data.paths.source_dir / shard_name(1)).with_suffix(".json").unlink()
    assert report.collect_status(run_data)[0].source == 2


def test_more_translated_than_in_the_source_leaves_nothing_to_do():
    assert LanguageStatus("ur", 1, 2, 0, 0, 0).left == 0


def test_the_table_shows_every_number_in_80_columns(run_data):
    text = shown(report.collect_status(run_data))
    assert cells(text, "ur Urdu") == ["ur Urdu", "3", "2", "1", "1", "3", "1"]
    assert cells(text, "zh Chinese") == ["zh Chinese", "3", "0", "0", "0", "0", "3"]
    heads = ["source", "translated", "kept", "flagged", "reviewed", "left to do"]
    assert all(head in text for head in heads)


def test_a_real_runs_numbers_fit_80_columns():
    rows = [LanguageStatus(lang, 157_712, 157_712, 150_000, 7_712, 12_345) for lang in TARGETS]
    expected = ["ja Japanese", "157,712", "157,712", "150,000", "7,712", "12,345", "0"]
    assert cells(shown(rows), "Japanese") == expected
