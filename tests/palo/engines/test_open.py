import importlib.util

import pytest

from palo.engines.open import missing, open_engine, signature
from palo.engines.stream import Weights
from palo.errors import MissingResource
from palo.settings import EngineKind


def test_signature_is_the_same_for_every_engine_and_names_the_weights(engine_settings):
    weights = Weights(engine_settings.model)
    first = signature(weights, engine_settings)
    with open_engine(EngineKind.TRANSFORMERS, weights, engine_settings) as engine:
        assert engine.signature == first
    assert str(first).startswith(f"{first.model}|{first.weights}|float32|")
    assert len(first.weights) == 12


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 25},
        {"dtype": "bfloat16"},
        {"retry_temperature": 0.5},
        {"quantization": "fp8"},
        {"kv_cache_dtype": "fp8"},
    ],
)
def test_signature_changes_with_what_decides_the_text(engine_settings, change):
    weights = Weights(engine_settings.model)
    changed = engine_settings.model_copy(update=change)
    assert signature(weights, changed) != signature(weights, engine_settings)


def test_batch_size_is_no_part_of_the_signature(engine_settings):
    weights = Weights(engine_settings.model)
    changed = engine_settings.model_copy(
        update={"batch_size": 1, "max_num_seqs": 1, "max_num_batched_tokens": 512}
    )
    assert signature(weights, changed) == signature(weights, engine_settings)


def test_missing_stand_in_says_how_to_make_it(engine_settings, tmp_path):
    (lack,) = missing(EngineKind.TRANSFORMERS, Weights(str(tmp_path / "none")))
    assert "palo translator pretrain" in lack
    with pytest.raises(MissingResource, match="palo translator pretrain"):
        open_engine(EngineKind.TRANSFORMERS, Weights(str(tmp_path / "none")), engine_settings)


def test_everything_missing_is_listed_at_once(monkeypatch):
    monkeypatch.setattr("palo.engines.open.has_gpu", lambda: False)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "vllm" else real(name)
    )
    lacks = "\n".join(missing(EngineKind.VLLM, Weights("palo-tests/no-such-model", "v1")))
    assert "hf download palo-tests/no-such-model --revision v1" in lacks
    assert "an NVIDIA GPU" in lacks
    assert "pip install" in lacks


def test_scripted_engine_needs_nothing(engine_settings):
    assert missing(EngineKind.SCRIPTED, Weights("none")) == []
    assert open_engine(EngineKind.SCRIPTED, Weights("none"), engine_settings).kind == "scripted"


def test_without_ray_its_extra_is_named_and_its_nodes_answer_for_the_rest(
    engine_settings, monkeypatch
):
    weights = Weights(engine_settings.model)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (lack,) = missing(EngineKind.RAY, weights)
    assert "pip install -e '.[ray]'" in lack
    monkeypatch.undo()
    with open_engine(EngineKind.RAY, weights, engine_settings) as engine:
        assert engine.kind == "ray"
        assert engine.signature == signature(weights, engine_settings)
