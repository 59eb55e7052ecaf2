"""A real fine-tune of a tiny translator on verified segments of a small world."""

import weakref

import pytest
import torch
from safetensors.torch import load_file
from trl.trainer.sft_config import SFTConfig

from palo.engines.stream import load_model
from palo.errors import UserError
from palo.files import read_json
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.paths import DataPaths
from palo.settings import (
    Context,
    FinetuneSettings,
    StandinTranslatorSettings,
    TranslatorSettings,
    load_profile,
)
from translate.finetune import (
    _arguments,
    _free_memory,
    base_weights,
    finetune,
    make_pair,
    split,
    train,
    weights_for,
    with_enough,
)
from translate.segments import cut

WORDS = {"red": "rouge", "blue": "bleu", "green": "vert", "big": "grand", "small": "petit"}
THINGS = {"star": "astre", "heart": "coeur", "circle": "cercle", "cross": "signe"}


def sentences():
    """(English, French) of every pair of words; nothing else need be learned."""
    return [
        (f"The {thing} {number} is {word}.", f"Le {french} {number} est {said}.")
        for thing, french in THINGS.items()
        for word, said in WORDS.items()
        for number in range(9)
    ]


def test_split_keeps_equal_english_on_one_side_and_depends_on_keys_only():
    pairs = [make_pair("fr", cut(english), said) for english, said in sentences()]
    found = split(pairs, 0.2)
    assert {pair.key for pair in found.train}.isdisjoint({pair.key for pair in found.held_out})
    assert 0.1 < len(found.held_out) / len(pairs) < 0.3
    urdu = [make_pair("ur", cut(english), "اردو") for english, _ in sentences()]
    held = {pair.key for pair in split(urdu[::-1], 0.2).held_out}
    assert held == {pair.key for pair in found.held_out}


@pytest.mark.parametrize("share", [1e-9, 0.15, 1 - 1e-9])
@pytest.mark.parametrize("number", [2, 5])
def test_of_few_segments_at_least_one_is_held_out_and_one_trained_on(number, share):
    pairs = [make_pair("fr", cut(english), said) for english, said in sentences()[:number]]
    few = split(pairs, share)
    assert few.train and few.held_out
    assert len(few.train) + len(few.held_out) == number


def test_segments_that_are_all_of_one_english_are_the_users_to_mend(tmp_path):
    paths = DataPaths(tmp_path)
    entries = [
        VerifiedEntry("A star.", "", f"Un astre {at}.", f"s{at}", 0, False, "ana", "b1", "2026")
        for at in range(30)
    ]
    with VerifiedMemory(paths.verified("fr")) as memory:
        memory.put(entries)
    settings = TranslatorSettings(model="none", finetuned_dir=tmp_path / "tuned")
    with pytest.raises(UserError, match=r"30 verified .* in fr are all of the same .*'A star\.'"):
        finetune(settings, ["fr"], paths)


def test_too_few_verified_segments_are_the_users_to_mend(tmp_path):
    settings = TranslatorSettings(model="none", finetuned_dir=tmp_path / "tuned")
    with pytest.raises(UserError, match="Only 0 verified segments in ur"):
        finetune(settings, ["ur"], DataPaths(tmp_path))


def test_languages_of_which_too_little_is_verified_are_told_apart(tmp_path):
    paths = verified(tmp_path, ["fr"])
    assert with_enough(["fr", "ur"], paths) == ("fr",)
    assert not paths.verified("ur").exists()


@pytest.fixture(scope="module")
def base_dir(tmp_path_factory):
    """A base that knows the vocabulary but has hardly been trained."""
    import json

    from palo.languages import TARGETS
    from sceneworld.standins.translator import pretrain

    folder = tmp_path_factory.mktemp("base")
    corpus = folder / "corpus.jsonl"
    rows = [
        {"context": "", "en": english, **dict.fromkeys(TARGETS, said)}
        for english, said in sentences()
    ]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    standin = StandinTranslatorSettings(
        vocab_size=400, hidden_size=64, layers=2, heads=2, steps=15, batch_size=16, short_share=0
    )
    pretrain(standin, corpus, Context.SOURCE, folder / "model")
    return folder / "model"


def verified(tmp_path, langs):
    paths = DataPaths(tmp_path / "data")
    for lang in langs:
        entries = [
            VerifiedEntry(english, "", said, f"s{at}", 0, False, "ana", "b1", "2026")
            for at, (english, said) in enumerate(sentences())
        ]
        with VerifiedMemory(paths.verified(lang)) as memory:
            memory.put(entries)
    return paths


def translator(base_dir, tmp_path, **changes):
    chosen = {"epochs": 12.0, "batch_size": 16, "learning_rate": 3e-3, **changes}
    return TranslatorSettings(
        model=str(base_dir),
        finetuned_dir=tmp_path / "tuned",
        max_tokens=24,
        max_model_tokens=96,
        finetune=FinetuneSettings(**chosen),
    )


@pytest.mark.slow
def test_fine_tune_raises_held_out_scores_and_the_next_translation_uses_it(base_dir, tmp_path):
    paths = verified(tmp_path, ["fr", "ur"])
    settings = translator(base_dir, tmp_path)
    assert weights_for(settings, "fr") == base_weights(settings)
    scores = finetune(settings, ["fr", "ur"], paths).scores
    for found in scores.values():
        assert found["held_out"] > 10
        assert found["after"]["chrf"] > found["before"]["chrf"] + 15
    tuned = weights_for(settings, "fr")
    assert tuned == weights_for(settings, "ur") != base_weights(settings)
    assert weights_for(settings, "ru") == base_weights(settings)
    report = read_json(paths.translator_report)["languages"]
    assert report["fr"]["chrf_after"] == scores["fr"]["after"]["chrf"]

    written = (settings.finetuned_dir / "fr+ur" / "model.safetensors").stat().st_mtime_ns
    again = finetune(settings, ["fr", "ur"], paths)
    assert again == (scores, [])  # nothing changed: not trained again
    assert (settings.finetuned_dir / "fr+ur" / "model.safetensors").stat().st_mtime_ns == written


@pytest.mark.slow
def test_lora_gives_each_language_an_adapter_of_its_own(base_dir, tmp_path):
    paths = verified(tmp_path, ["fr", "ur"])
    settings = translator(base_dir, tmp_path, lora_rank=8, lora_alpha=32, epochs=4.0)
    scores = finetune(settings, ["fr", "ur"], paths).scores
    for lang in ("fr", "ur"):
        weights = weights_for(settings, lang)
        assert weights.adapter_dir == settings.finetuned_dir / lang
        assert (weights.adapter_dir / "adapter_model.safetensors").is_file()
        assert scores[lang]["after"]["chrf"] > scores[lang]["before"]["chrf"]
        for path in weights.adapter_dir.iterdir():  # nothing of where it was made
            data = path.read_bytes()
            assert str(tmp_path).encode() not in data and b"is_local" not in data, path.name


@pytest.mark.slow
def test_languages_are_trained_side_by_side_on_the_devices_that_there_are(base_dir, tmp_path):
    """In processes of their own; on CPUs they write the very bytes that one process does."""
    paths = verified(tmp_path, ["fr", "ru", "ur"])
    changes = {"lora_rank": 8, "epochs": 0.5, "max_chrf_loss": 100}
    adapters = []
    for folder, devices in ((tmp_path / "one", ()), (tmp_path / "two", ("0", "1"))):
        settings = translator(base_dir, folder, **changes)
        outcome = finetune(settings, ["fr", "ru", "ur"], paths, devices)
        assert (list(outcome.scores), outcome.refused) == (["fr", "ru", "ur"], [])
        files = [settings.finetuned_dir / lang for lang in ("fr", "ru", "ur")]
        adapters.append([(path / "adapter_model.safetensors").read_bytes() for path in files])
        assert (settings.finetuned_dir / "runs" / "ur").is_dir()  # TensorBoard's
    assert adapters[0] == adapters[1]


@pytest.mark.slow
def test_what_fails_on_a_device_is_named_and_the_others_work_is_kept(base_dir, tmp_path, capfd):
    paths = verified(tmp_path, ["fr", "ur"])
    settings = translator(base_dir, tmp_path, lora_rank=8, epochs=0.2, max_chrf_loss=100)
    settings.finetuned_dir.mkdir()
    (settings.finetuned_dir / "ur.trial").write_text("no folder can be here")
    with pytest.raises(UserError, match=r"^The training of ur on GPU 1 \(exit code 1\) failed"):
        finetune(settings, ["fr", "ur"], paths, ("0", "1"))
    assert "Error" in capfd.readouterr().err
    trained = settings.finetuned_dir / "fr.trial" / "adapter_model.safetensors"
    written = trained.stat().st_mtime_ns
    (settings.finetuned_dir / "ur.trial").unlink()
    assert finetune(settings, ["fr", "ur"], paths, ()).refused == []
    used = settings.finetuned_dir / "fr" / "adapter_model.safetensors"
    assert used.stat().st_mtime_ns == written


@pytest.mark.slow
def test_a_fine_tune_whose_loss_is_not_finite_is_refused_and_not_saved(base_dir, tmp_path):
    paths = verified(tmp_path, ["fr"])
    settings = translator(base_dir, tmp_path, learning_rate=1e38, epochs=20)
    outcome = finetune(settings, ["fr"], paths)
    assert outcome == ({}, ["fr: the training loss is not finite"])
    assert weights_for(settings, "fr") == base_weights(settings)
    assert [path.name for path in (settings.finetuned_dir / "fr.trial").iterdir()] == [
        "finetune.json"
    ]
    assert finetune(settings, ["fr"], paths) == outcome
    assert not paths.translator_report.exists()


@pytest.mark.slow
def test_micro_batches_give_the_model_of_the_whole_batch(base_dir, tmp_path):
    """A step's loss is the mean over its tokens, however many segments are at once."""
    pairs = [make_pair("fr", cut(english), said) for english, said in sentences()[:64]]
    learned = []
    for at_once in (16, 4):
        settings = translator(base_dir, tmp_path, epochs=1, device_batch_size=at_once)
        loss = train(settings, pairs, tmp_path / f"{at_once}", "fr")
        learned.append((loss, load_file(tmp_path / f"{at_once}" / "model.safetensors")))
    (whole_loss, whole), (loss, parts) = learned
    assert loss == pytest.approx(whole_loss, rel=1e-4)
    assert all(torch.allclose(whole[name], parts[name], atol=1e-5) for name in whole)


@pytest.mark.slow
def test_nothing_keeps_a_model_that_was_trained(base_dir, tmp_path, monkeypatch):
    """The next language's would not fit beside it."""
    kept = []

    def loaded(*names):
        model = load_model(*names)
        kept.append(weakref.ref(model))
        return model

    monkeypatch.setattr("translate.finetune.load_model", loaded)
    pairs = [make_pair("fr", cut(english), said) for english, said in sentences()[:32]]
    for rank in (0, 8):
        settings = translator(base_dir, tmp_path, epochs=1, lora_rank=rank)
        train(settings, pairs, tmp_path / "trained", "fr")
        _free_memory()
    assert [model() for model in kept] == [None, None]


@pytest.mark.slow
def test_weights_tuned_from_another_base_are_not_used(base_dir, tmp_path):
    import shutil

    paths = verified(tmp_path, ["fr"])
    settings = translator(base_dir, tmp_path, epochs=0.2, max_chrf_loss=100)
    finetune(settings, ["fr"], paths)
    other = tmp_path / "model"
    shutil.copytree(base_dir, other)
    (other / "config.json").write_text((base_dir / "config.json").read_text() + "\n")
    moved = settings.model_copy(update={"model": str(other)})
    assert weights_for(moved, "fr") == base_weights(moved)


def test_a_fine_tune_uses_one_of_several_gpus(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(SFTConfig, "n_gpu", property(lambda self: getattr(self, "_n_gpu", 4)))
    monkeypatch.setattr("transformers.training_args.is_torch_bf16_gpu_available", lambda: True)
    settings = load_profile("palo").translator
    arguments = _arguments(settings, tmp_path)
    assert arguments.n_gpu == 1
    steps = (arguments.per_device_train_batch_size, arguments.gradient_accumulation_steps)
    assert steps == (4, 4)  # 16 segments of up to 4,096 tokens would not fit at once
