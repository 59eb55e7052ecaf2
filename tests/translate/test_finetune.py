"""A real fine-tune of a tiny translator on verified segments of a small world."""

import pytest
import torch
from trl.trainer.sft_config import SFTConfig

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
    base_weights,
    finetune,
    make_pair,
    split,
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
    scores = finetune(settings, ["fr", "ur"], paths)
    for found in scores.values():
        assert found["held_out"] > 10
        assert found["after"]["chrf"] > found["before"]["chrf"] + 15
    tuned = weights_for(settings, "fr")
    assert tuned == weights_for(settings, "ur") != base_weights(settings)
    assert weights_for(settings, "ru") == base_weights(settings)
    report = read_json(paths.translator_report)["languages"]
    assert report["fr"]["chrf_after"] == scores["fr"]["after"]["chrf"]

    written = (settings.finetuned_dir / "fr+ur" / "model.safetensors").stat().st_mtime_ns
    assert finetune(settings, ["fr", "ur"], paths) == scores  # nothing changed: not trained again
    again = (settings.finetuned_dir / "fr+ur" / "model.safetensors").stat().st_mtime_ns
    assert again == written


@pytest.mark.slow
def test_lora_gives_each_language_an_adapter_of_its_own(base_dir, tmp_path):
    paths = verified(tmp_path, ["fr", "ur"])
    settings = translator(base_dir, tmp_path, lora_rank=8, lora_alpha=32, epochs=4.0)
    scores = finetune(settings, ["fr", "ur"], paths)
    for lang in ("fr", "ur"):
        weights = weights_for(settings, lang)
        assert weights.adapter_dir == settings.finetuned_dir / lang
        assert (weights.adapter_dir / "adapter_model.safetensors").is_file()
        assert scores[lang]["after"]["chrf"] > scores[lang]["before"]["chrf"]


@pytest.mark.slow
def test_weights_tuned_from_another_base_are_not_used(base_dir, tmp_path):
    import shutil

    paths = verified(tmp_path, ["fr"])
    settings = translator(base_dir, tmp_path, epochs=0.2)
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
    assert _arguments(settings, tmp_path).n_gpu == 1
