import pytest

from palo.errors import MissingResource, UserError
from palo.paths import DataPaths
from palo.settings.evaluate import AnswerEngine
from palo.shards import read_json
from tests.train.evaluation.bench.conftest import (
    judge_at,
    make_bench,
    material,
    save_tiny,
    with_judge,
)
from train.evaluation.bench.run import evaluate_bench

TRANSFORMERS = AnswerEngine.TRANSFORMERS


def test_a_set_is_answered_judged_and_scored_with_signature_interval_and_language(
    profile, tmp_path, serve
):
    server = serve()
    scale = save_tiny(profile)
    profile = with_judge(profile, judge_at(server.url))
    result = evaluate_bench(scale, profile, make_bench(tmp_path / "bench"), TRANSFORMERS)
    assert server.seen.total() == 6
    for lang in ("en", "ur"):
        row = result["languages"][lang]
        assert row["score"]["value"] == pytest.approx(75)
        assert (row["score"]["low"], row["score"]["high"]) == (75, 75)
        assert row["score"]["signature"].endswith("|n:3/3")
        assert set(row["categories"]) == {"conv", "detail", "complex"}
        assert row["text"]["chrf_signature"].startswith("nrefs:1|case:mixed")
    assert result["signature"].startswith("judge:strict-judge|served:served|prompt:")
    assert "|temp:0|seed:0|order:reference-first|attempts:3|bench:" in result["signature"]
    folder = DataPaths(profile.data_dir).evaluation("7b").with_suffix("")
    (written,) = folder.glob("bench-*.json")
    assert read_json(written)["languages"] == result["languages"]
