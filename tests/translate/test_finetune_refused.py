"""What becomes of a fine-tune by its scores; training and scores are given."""

import re

import pytest

from palo.engines.stream import ScriptedEngine, Weights
from palo.errors import MissingResource, UserError
from palo.files import read_json
from palo.memory import VerifiedEntry, VerifiedMemory
from palo.paths import DataPaths
from palo.settings import EngineKind, FinetuneSettings, TranslatorSettings
from translate import finetune as module
from translate.finetune import Refused, base_weights, finetune, scoring_engine, weights_for


class Lab:
    """A profile of three languages whose fine-tune scores what `after` says."""

    def __init__(self, folder, monkeypatch):
        self.paths, self.folder = DataPaths(folder / "data"), folder
        (folder / "base").mkdir()
        (folder / "base" / "config.json").write_text("{}")
        for lang in ("fr", "ru", "ur"):
            self.verify(lang, 40)
        self.before = dict.fromkeys(("fr", "ru", "ur"), 40.0)
        self.after = dict.fromkeys(("fr", "ru", "ur"), 50.0)
        self.loss, self.trained, self.scored = 1.0, [], []
        monkeypatch.setattr(module, "train", self._train)
        monkeypatch.setattr(module, "evaluate", self._evaluate)

    def verify(self, lang, number):
        entries = [
            VerifiedEntry(f"Star {at} is red.", "", f"{lang} {at}!", "s", at, 0, "a", "b", "2026")
            for at in range(number)
        ]
        with VerifiedMemory(self.paths.verified(lang)) as memory:
            memory.put(entries)

    def settings(self, **chosen):
        chosen = {"lora_rank": 4, "trackers": (), **chosen}
        return TranslatorSettings(
            model=str(self.folder / "base"),
            finetuned_dir=self.folder / "tuned",
            finetune=FinetuneSettings(**chosen),
        )

    def run(self, *langs, **chosen):
        return finetune(self.settings(**chosen), langs or ("fr", "ru", "ur"), self.paths, ())

    def adapter(self, lang):
        """What was written into the adapter that translates the language now."""
        adapter_dir = weights_for(self.settings(), lang).adapter_dir
        return adapter_dir and (adapter_dir / "adapter_config.json").read_text()

    def _train(self, settings, pairs, folder, name):
        self.trained.append(name)
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text(f'{{"number": {len(self.trained)}}}')
        (folder / "config.json").write_text("{}")
        (folder / "adapter_model.safetensors").write_bytes(b"weights")
        return self.loss

    def _evaluate(self, settings, wanted):
        for weights, splits in wanted:
            self.scored.append((weights, [*splits]))
            said = self.before if weights == base_weights(settings) else self.after
            rest = {"bleu": 1.0, "chrf_signature": "c", "bleu_signature": "b"}
            yield {lang: {"chrf": said[lang], **rest} for lang in splits}


@pytest.fixture
def lab(tmp_path, monkeypatch):
    return Lab(tmp_path, monkeypatch)


def test_one_engine_scores_all_languages_before_the_first_is_trained(lab):
    assert lab.run().refused == []
    tuned = lab.folder / "tuned"
    base = base_weights(lab.settings())
    assert lab.scored == [
        (base, ["fr", "ru", "ur"]),
        *((Weights(base.model, None, tuned / f"{lang}.trial"), [lang]) for lang in lab.before),
    ]
    assert lab.trained == ["fr", "ru", "ur"]
    assert lab.adapter("ru") == '{"number": 2}'
    assert not list(tuned.glob("*.trial"))


def test_an_adapter_that_scores_lower_is_refused_and_the_old_one_stays(lab):
    lab.run()
    for lang in ("ru", "ur"):
        lab.verify(lang, 60)
    lab.after = {"ru": 39.96, "ur": 55.0}
    outcome = lab.run()
    [why] = outcome.refused
    assert re.fullmatch(r"held-out chrF\+\+ fell: ru from 40.00 to 39.96 \(\d+ segments\)", why)
    assert lab.trained == ["fr", "ru", "ur", "ru", "ur"]
    assert lab.adapter("ru") == '{"number": 2}'
    assert lab.adapter("ur") == '{"number": 5}'
    with pytest.raises(Refused, match=r"(?s)what translated before .*- held-out .*<name>\.trial"):
        outcome.require_accepted(lab.settings())
    assert Refused.exit_code == 3
    assert outcome.scores["ru"]["after"]["chrf"] == 39.96  # shown, and not reported as in use:
    report = read_json(lab.paths.translator_report)["languages"]
    assert {lang: row["chrf_after"] for lang, row in report.items()} == {
        "fr": 50.0,
        "ru": 50.0,
        "ur": 55.0,
    }


def test_a_refused_fine_tune_says_the_same_again_without_training(lab):
    lab.after = {"fr": 30.0}
    first = lab.run("fr")
    assert first.refused and lab.adapter("fr") is None
    scored = len(lab.scored)
    assert lab.run("fr") == first
    assert (lab.trained, len(lab.scored)) == (["fr"], scored)
    assert not lab.paths.translator_report.exists()
    assert lab.run("fr", max_chrf_loss=10).refused == []  # exactly ten points
    assert (lab.trained, lab.adapter("fr")) == (["fr"], '{"number": 1}')


def test_weights_of_several_languages_are_refused_where_one_falls(lab):
    lab.after["ur"] = 39.0
    [why] = lab.run(lora_rank=0).refused
    assert why.startswith("held-out chrF++ fell: ur from 40.00 to 39.00 (")
    assert why.endswith(" (trained together with fr, ru, ur)")
    settings = lab.settings(lora_rank=0)
    assert {weights_for(settings, lang) for lang in lab.before} == {base_weights(settings)}


def test_a_loss_that_is_not_finite_is_refused_without_a_score(lab):
    lab.loss = None
    assert lab.run("fr") == ({}, ["fr: the training loss is not finite"])
    assert len(lab.scored) == 1  # before
    assert lab.run("fr") == ({}, ["fr: the training loss is not finite"])
    assert lab.trained == ["fr"]


@pytest.mark.parametrize("stops", ["train", "evaluate"])
def test_a_stopped_run_keeps_what_was_trained(lab, monkeypatch, stops):
    given = getattr(lab, f"_{stops}")

    def interrupted(*arguments):
        if lab.trained == ["fr", "ru"]:  # the third language, or the first score after the second
            raise KeyboardInterrupt
        return given(*arguments)

    monkeypatch.setattr(module, stops, interrupted)
    langs = ("fr", "ru", "ur") if stops == "train" else ("fr", "ru")
    with pytest.raises(KeyboardInterrupt):
        lab.run(*langs)
    assert lab.adapter("fr") is None
    monkeypatch.setattr(module, stops, given)
    assert lab.run().refused == []
    assert lab.trained == ["fr", "ru", "ur"]


def test_a_run_that_was_killed_before_its_weights_were_put_in_place_goes_on(lab, monkeypatch):
    def killed(folder, **options):
        if folder.name.endswith(".old"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            lab.run("fr")
    assert lab.run("fr").refused == []
    assert (lab.trained, lab.adapter("fr")) == (["fr"], '{"number": 1}')


@pytest.mark.parametrize(
    ("kind", "scores_with"),
    [
        ("vllm", "vllm"),
        ("ray", "vllm"),
        ("transformers", "transformers"),
        ("openai", "transformers"),
    ],
)
def test_the_profiles_engine_scores_where_it_loads_weights_here(lab, kind, scores_with):
    settings = lab.settings().model_copy(update={"engine": EngineKind(kind)})
    assert scoring_engine(settings) == scores_with


def test_scores_are_of_what_the_engine_says(tmp_path, monkeypatch):
    evaluate, opened = module.evaluate, []

    def scripted(kind, wanted, settings):
        opened.append((kind, wanted))
        yield from (ScriptedEngine() for _ in wanted)

    monkeypatch.setattr(module, "engines_for", scripted)
    settings = TranslatorSettings(model="m", finetuned_dir=tmp_path, engine=EngineKind.VLLM)
    pair = module.make_pair("fr", module.cut("A star."), "Un astre.")
    [scores] = evaluate(settings, [(Weights("m"), {"fr": module.Split([], [pair, pair])})])
    assert opened == [("vllm", [Weights("m")])]
    assert scores["fr"]["chrf"] < 10


def test_processes_of_torchrun_are_refused(lab, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="run it without torchrun"):
        lab.run("fr")


def test_micro_batches_must_divide_the_batch():
    with pytest.raises(ValueError, match="batch_size 16 is no multiple of device_batch_size 5"):
        FinetuneSettings(batch_size=16, device_batch_size=5)


def test_the_command_looks_for_what_trains_and_for_what_scores(project, palo, monkeypatch):
    monkeypatch.setattr("translate.cli.missing", lambda kind, weights: ["a model", f"{kind}!"])
    with pytest.raises(MissingResource, match=r"here:\n- a model\n- transformers!\n- vllm!$"):
        palo("translator", "train", "--lang", "fr", "--profile", "real")


def test_the_command_ends_with_the_refusal(project, palo, monkeypatch):
    outcome = module.Outcome({}, ["held-out chrF++ fell: fr from 2.00 to 1.00 (7 segments)"])
    monkeypatch.setattr("translate.cli.missing", lambda kind, weights: [])
    monkeypatch.setattr("translate.cli.finetune", lambda *of_profile: outcome)
    with pytest.raises(Refused, match=r"from 2\.00 to 1\.00 .*\nIts weights lie in .*tuned/<name>"):
        palo("translator", "train", "--lang", "fr")
