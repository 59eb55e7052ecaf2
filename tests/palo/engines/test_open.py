import importlib.util
import shutil
from dataclasses import replace

import pytest

from palo.engines import open as opening
from palo.engines.open import engines_for, missing, open_engine, replicas, signature
from palo.engines.stream import ScriptedEngine, Weights, scripted_result
from palo.errors import MissingResource, UserError
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


@pytest.fixture
def starts(monkeypatch):
    """What engines were opened with: each is a scripted one that says the adapter it was asked."""
    opened = []

    def scripted(kind, weights, settings, adapters=()):
        opened.append((weights, adapters))
        return ScriptedEngine(
            script=lambda request: replace(scripted_result(request), text=str(request.adapter_dir))
        )

    monkeypatch.setattr(opening, "open_engine", scripted)
    return opened


def test_languages_that_differ_in_adapters_alone_share_an_engine_that_takes_them(
    engine_settings, starts, make_requests, tmp_path
):
    base, whole = Weights(engine_settings.model), Weights(str(tmp_path / "whole"))
    shutil.copytree(engine_settings.model, whole.model)
    tuned = []
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text(f'{{"r": 4, "of": "{name}"}}')
        tuned.append(replace(base, adapter_dir=tmp_path / name))
    wanted = [tuned[0], base, tuned[1], whole, tuned[0], tuned[0]]
    signatures, said = [], []
    for engine in engines_for(EngineKind.VLLM, wanted, engine_settings):
        signatures.append(engine.signature)
        said += [result.text for result in engine.stream(make_requests(1))]
    dirs = [weights.adapter_dir for weights in tuned]
    # a fine-tune of all weights is another model
    assert starts == [(base, tuple(dirs)), (whole, ()), (base, (dirs[0],))]
    assert said == [str(each.adapter_dir) for each in wanted]
    own = [signature(each, engine_settings) for each in wanted]
    assert [mine for mine, each in zip(signatures, wanted, strict=True) if each != whole] == [
        mine for mine, each in zip(own, wanted, strict=True) if each != whole
    ]
    starts.clear()
    assert len(list(engines_for(EngineKind.TRANSFORMERS, wanted, engine_settings))) == 6
    assert starts == [(each, ()) for each in wanted[:5]]


def test_an_engine_of_several_adapters_is_known_by_all_of_them(engine_settings, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text(f'{{"of": "{name}"}}')
    weights, dirs = Weights(engine_settings.model), (tmp_path / "a", tmp_path / "b")
    own = [signature(replace(weights, adapter_dir=each), engine_settings).adapter for each in dirs]
    with open_engine(EngineKind.RAY, weights, engine_settings, dirs) as engine:
        assert engine.signature.adapter == "+".join(own)


@pytest.mark.parametrize(
    ("gpus", "share", "wanted", "number"),
    [
        (8, 1, None, 8),
        (8, 2, None, 4),
        (7, 2, None, 3),
        (0, 1, None, 1),
        (8, 1, 1, 1),
        (0, 1, 2, 2),
    ],
)
def test_auto_is_a_model_on_all_gpus_and_one_on_a_cpu(
    engine_settings, monkeypatch, gpus, share, wanted, number
):
    monkeypatch.setattr(opening, "visible_gpus", lambda: gpus)
    width = {"tensor_parallel_size": share, "data_parallel_size": wanted}
    settings = engine_settings.model_copy(update=width)
    assert replicas(EngineKind.VLLM, settings) == number
    assert replicas(EngineKind.RAY, settings) == 1  # its workers are Ray's own matter
    with open_engine(EngineKind.VLLM, Weights(settings.model), settings) as engine:
        assert engine._replicas == number


@pytest.mark.parametrize(("share", "wanted", "sum"), [(4, None, 4), (1, 3, 3), (2, 2, 4)])
def test_more_gpus_than_there_are_are_refused(engine_settings, monkeypatch, share, wanted, sum):
    monkeypatch.setattr(opening, "visible_gpus", lambda: 2)
    width = {"tensor_parallel_size": share, "data_parallel_size": wanted}
    settings = engine_settings.model_copy(update=width)
    with pytest.raises(UserError, match=rf"want {sum} GPUs .*may see 2\..*CUDA_VISIBLE_DEVICES"):
        open_engine(EngineKind.VLLM, Weights(settings.model), settings)
