import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from palo.cli import app, guarded
from palo.errors import MissingResource, UserError
from palo.files import read_json
from palo.languages import LANGUAGES
from palo.settings import AnswerEngine, Order
from tests.faulty_server import Fault
from tests.train.conftest import ROOT
from tests.train.evaluation.conftest import (
    judge_at,
    make_bench,
    material,
    save_tiny,
    with_judge,
    write_project,
)
from train.evaluation.answerers import TransformersAnswerer
from train.evaluation.benchmark import evaluate_set

TRANSFORMERS = AnswerEngine.TRANSFORMERS


def folder_of(profile, name="7b"):
    return profile.paths.evaluation(name).with_suffix("")


def stored(profile, what, name="7b"):
    lines = (folder_of(profile, name) / f"{what}.jsonl").read_text("utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def test_a_set_is_answered_judged_and_scored_with_signature_interval_and_language(
    profile, tmp_path, serve
):
    server = serve()
    scale = save_tiny(profile)
    profile = with_judge(profile, judge_at(server.url))
    result = evaluate_set(scale, profile, make_bench(tmp_path / "bench"), TRANSFORMERS)
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
    (written,) = folder_of(profile).glob("bench-*.json")
    assert read_json(written)["languages"] == result["languages"]


def test_answers_are_those_of_the_checkpoint_in_padded_squares_and_reach_the_judge(
    profile, tmp_path, serve
):
    asked = []
    server = serve(lambda text: asked.append(material(text)) or "8 6")
    scale = save_tiny(profile)
    root = make_bench(tmp_path / "bench", langs=("en",))
    evaluate_set(scale, with_judge(profile, judge_at(server.url)), root, TRANSFORMERS)
    folder = profile.paths.checkpoint("7b")
    answerer = TransformersAnswerer(folder, 1, 8)
    wanted = answerer.answer(
        [(f"What is it? en {n}", root / "images" / f"{n:03d}.png") for n in range(3)],
        lambda n: None,
    )
    assert [row["answer"] for row in stored(profile, "answers")] and len({*wanted}) > 1
    by_question = {shown["question"]: shown["answer_2"] for shown in asked}
    assert by_question == {f"What is it? en {n}": text for n, text in enumerate(wanted)}


def test_what_is_known_is_neither_answered_nor_judged_again(profile, tmp_path, serve, monkeypatch):
    server = serve()
    scale = save_tiny(profile)
    profile = with_judge(profile, judge_at(server.url))
    root = make_bench(tmp_path / "bench")
    first = evaluate_set(scale, profile, root, TRANSFORMERS)
    monkeypatch.setattr("train.evaluation.answerers.open_answerer", None)
    moved = tmp_path / "elsewhere"
    shutil.move(root, moved)
    for lang in ("en", "ur"):  # another order, other numbers, another name of a picture
        path = moved / lang / "questions.jsonl"
        path.write_text("".join(reversed(path.read_text("utf-8").splitlines(True))), "utf-8")
    assert evaluate_set(scale, profile, moved, TRANSFORMERS)["languages"] == first["languages"]
    assert server.seen.total() == 6


def test_a_changed_picture_is_answered_again_and_a_changed_answer_judged_again(
    profile, tmp_path, serve
):
    server = serve()
    scale = save_tiny(profile)
    profile = with_judge(profile, judge_at(server.url))
    root = make_bench(tmp_path / "bench")
    evaluate_set(scale, profile, root, TRANSFORMERS)
    Image.new("RGB", (40, 90), (255, 255, 0)).save(root / "images" / "001.png")
    evaluate_set(scale, profile, root, TRANSFORMERS)
    answers = stored(profile, "answers")
    assert len(answers) == 6 + 2
    changed = sum(
        answers[6 + place]["answer"]
        != next(row["answer"] for row in answers if row["lang"] == lang and row["question"] == "1")
        for place, lang in enumerate(("en", "ur"))
    )
    assert changed
    assert server.seen.total() == 6 + changed


def test_two_models_never_share_answers_or_judgements(profile, tmp_path, serve):
    """Even where one's folder takes the other's place and name, and both say the same."""
    server = serve()
    scale = save_tiny(profile)
    settings = with_judge(profile, judge_at(server.url))
    root = make_bench(tmp_path / "bench")
    evaluate_set(scale, settings, root, TRANSFORMERS)
    folder = profile.paths.checkpoint("7b")
    config = read_json(folder / "config.json") | {"palo_note": "another model"}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    evaluate_set(scale, settings, root, TRANSFORMERS)
    answers = stored(profile, "answers")
    assert [row["answer"] for row in answers[:6]] == [row["answer"] for row in answers[6:]]
    assert server.seen.total() == 12
    assert len([*folder_of(profile).glob("bench-*.json")]) == 2


def test_what_the_judge_does_not_score_is_counted_and_left_out_of_the_mean(
    profile, tmp_path, serve
):
    server = serve(lambda text: "8 7 6" if material(text)["question"].endswith("ur 1") else "8 6")
    scale = save_tiny(profile)
    profile = with_judge(profile, judge_at(server.url))
    result = evaluate_set(scale, profile, make_bench(tmp_path / "bench"), TRANSFORMERS)
    row = result["languages"]["ur"]
    assert (row["unparsed"], row["score"]["value"], row["score"]["n"]) == (1, 75, 2)
    assert row["score"]["signature"].endswith("|n:2/3")
    assert row["faults"] == {"its first line holds not two numbers but more or fewer": 1}
    assert row["categories"]["detail"] is None
    bad = next(one for one in result["answers"] if one["lang"] == "ur" and one["faults"])
    assert (bad["model_score"], bad["judge_said"], bad["attempts"]) == (None, "8 7 6", 3)


def test_an_answer_in_another_language_is_worth_nothing_in_the_score_beside(
    profile, tmp_path, serve, monkeypatch
):
    said = {
        "ur 0": "یہ ایک سرخ دائرہ ہے۔",
        "ur 1": "This is a red circle, as you can see.",
        "ur 2": "",
    }

    def stream(self, asked):
        for place, (question, _) in enumerate(asked):
            yield place, said[question.removeprefix("What is it? ")]

    monkeypatch.setattr(TransformersAnswerer, "stream", stream)
    scale = save_tiny(profile)
    profile = with_judge(profile, judge_at(serve().url))
    root = make_bench(tmp_path / "bench", langs=("ur",))
    row = evaluate_set(scale, profile, root, TRANSFORMERS)["languages"]["ur"]
    assert row["fidelity"] == pytest.approx(1 / 3)
    assert row["score"]["value"] == pytest.approx(75)
    assert row["score_wrong_language_zero"]["value"] == pytest.approx(25)


def test_a_short_answer_that_the_set_itself_gives_is_in_its_language(
    profile, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        TransformersAnswerer, "stream", lambda self, asked: iter([(0, "No."), (1, "Nein!")])
    )
    scale = save_tiny(profile)
    exact = with_judge(profile, None)
    root = make_bench(tmp_path / "bench", ("es",), 2, lambda n: ["No", "Sí"])
    row = evaluate_set(scale, exact, root, TRANSFORMERS)["languages"]["es"]
    assert row["score"]["value"] == pytest.approx(50)


def test_where_right_answers_are_known_no_judge_is_asked(profile, tmp_path, monkeypatch):
    def stream(self, asked):
        for place, (question, _) in enumerate(asked):
            right = place % 3 != 2
            yield place, f"A red circle. {question[-4:]}" if right else "A blue circle."

    monkeypatch.setattr(TransformersAnswerer, "stream", stream)
    scale = save_tiny(profile)
    root = make_bench(tmp_path / "bench", LANGUAGES, 3, lambda n: True)
    result = evaluate_set(scale, with_judge(profile, None), root, TRANSFORMERS)
    assert result["signature"].startswith("exact|bench:")
    assert result["judged"] is False
    score = result["languages"]["ur"]["score"]
    assert score["value"] == pytest.approx(200 / 3)
    assert score["low"] == 0 and score["high"] == 100
    for group in ("high-resource", "low-resource", "all"):
        assert result["groups"][group]["score"]["value"] == pytest.approx(200 / 3)


def test_of_a_set_with_some_exact_answers_these_alone_are_scored(profile, tmp_path, capsys):
    save_tiny(profile)
    scale = save_tiny(profile)
    root = make_bench(tmp_path / "bench", ("en",), 3, lambda n: n != 1)
    result = evaluate_set(scale, with_judge(profile, None), root, TRANSFORMERS)
    assert result["languages"]["en"]["score"]["signature"].endswith("|n:2/3")


def test_without_a_judge_it_is_said_before_anything_is_loaded_how_to_set_one(profile, tmp_path):
    scale = save_tiny(profile)
    root = make_bench(tmp_path / "bench")
    with pytest.raises(MissingResource, match=r"a judge: set `evaluate: \{judge: .*--no-judge"):
        evaluate_set(scale, profile, root, TRANSFORMERS)
    result = evaluate_set(scale, with_judge(profile, None), root, TRANSFORMERS, with_judge=False)
    row = result["languages"]["en"]
    assert (row["score"], row["questions"]) == (None, 3)
    assert row["text"]["chrf"] >= 0 and row["fidelity"] is not None


def test_without_a_checkpoint_it_is_said_how_to_train_one(profile, tmp_path):
    from tests.train.conftest import make_scale

    with pytest.raises(MissingResource, match="palo train --scale 7b"):
        evaluate_set(make_scale("7b"), profile, make_bench(tmp_path / "b"), TRANSFORMERS, False)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: shutil.rmtree(root), "No folder"),
        (
            lambda root: [shutil.rmtree(root / lang) for lang in ("en", "ur")],
            "holds no LLaVA-Bench",
        ),
        (lambda root: (root / "images" / "001.png").unlink(), r"Question 1 .*no image"),
    ],
)
def test_what_is_wrong_with_a_set_is_said(profile, tmp_path, spoil, said):
    scale, root = save_tiny(profile), make_bench(tmp_path / "bench")
    spoil(root)
    with pytest.raises(UserError, match=said):
        evaluate_set(scale, profile, root, TRANSFORMERS, False)


def test_an_exact_field_that_is_no_list_of_texts_is_refused(profile, tmp_path):
    scale, root = save_tiny(profile), make_bench(tmp_path / "bench", exact=lambda n: "yes")
    with pytest.raises(UserError, match=r"field 'exact' is 'yes'; it must be true or a list"):
        evaluate_set(scale, profile, root, TRANSFORMERS)


def test_a_picture_that_cannot_be_read_is_named(profile, tmp_path):
    scale, root = save_tiny(profile), make_bench(tmp_path / "bench")
    (root / "images" / "001.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"cannot read image .*001\.png.* Mend or replace it"):
        evaluate_set(scale, profile, root, TRANSFORMERS, False)


def test_the_command_prints_tables_that_fit_80_columns(
    profile, tmp_path, serve, monkeypatch, capsys
):
    server = serve(lambda text: "no" if material(text)["question"].endswith("ur 1") else "8 6.5")
    save_tiny(profile, "13b")
    root = make_bench(tmp_path / "bench", LANGUAGES)
    judge = {"model": "strict-judge", "server": {"base_url": server.url}, "order": "both"}
    monkeypatch.setenv("PALO_CONFIG", str(write_project(tmp_path, judge)))
    assert guarded(lambda: app(["evaluate", "--scale", "13b", "--bench", str(root)])) == 0
    printed = capsys.readouterr().out
    lines = printed.split("\n")
    drawn = [line for line in lines if line[:1] in "┏┃┡│├└"]
    assert drawn and max(map(len, drawn)) <= 80
    assert "PALO-13B" in printed and "│ mean low" in printed
    assert [line for line in drawn if "…" in line] == []
    assert "Published for PALO-13B, answers in the right language: ja 61.5%, ru 68.2%" in printed
    assert "BLEU of ja: nrefs:1|case:mixed|eff:no|tok:ja-mecab" in printed
    assert "Not scored, for no reply of the judge could be read: 1 (2 x its first line" in printed
    assert "Standing first was worth +" in printed
    assert "Signature: judge:strict-judge|served:served|prompt:" in printed
    result = read_json(next(folder_of(profile, "13b").glob("bench-*.json")))
    assert Order.BOTH in result["signature"]


def test_the_published_figures_do_not_stand_beside_another_set(
    profile, tmp_path, monkeypatch, capsys
):
    save_tiny(profile)
    root = make_bench(tmp_path / "bench", ("en",), exact=lambda n: True)
    monkeypatch.setenv("PALO_CONFIG", str(write_project(tmp_path, None)))
    assert guarded(lambda: app(["evaluate", "--scale", "7b", "--bench", str(root)])) == 0
    printed = capsys.readouterr().out
    assert "PALO-13B" not in printed and "Signature: exact|" in printed


def test_no_judge_without_a_bench_is_a_mistake(profile, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PALO_CONFIG", str(write_project(tmp_path, None)))
    assert guarded(lambda: app(["evaluate", "--scale", "7b", "--no-judge"])) == 2
    assert "--no-judge goes with --bench" in capsys.readouterr().err


def wait_until(ready, process, limit_s=120):
    deadline = time.monotonic() + limit_s
    while not ready():
        assert process.poll() is None and time.monotonic() < deadline, process.poll()
        time.sleep(0.01)


@pytest.mark.slow
def test_a_run_that_is_killed_loses_nothing_and_asks_nothing_twice(profile, tmp_path, serve):
    server = serve()
    server.delay_s = 0.1
    save_tiny(profile)
    root = make_bench(tmp_path / "bench", ("en", "ur", "zh"), 10)
    judge = {"model": "strict-judge", "server": {"base_url": server.url, "concurrency": 1}}
    config = write_project(tmp_path, judge)
    settings = config.read_text("utf-8").replace(
        "resamples: 1000", "resamples: 1000\n        batch_size: 1"
    )
    config.write_text(settings, "utf-8")
    environment = os.environ | {"PALO_CONFIG": str(config), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "palo", "evaluate", "--scale", "7b", "--bench", str(root)]

    def start():
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def lines(name):
        path = folder_of(profile) / f"{name}.jsonl"
        return path.read_bytes().count(b"\n") if path.is_file() else 0

    for name, enough in (("answers", 3), ("judgements", 4)):
        process = start()
        wait_until(lambda name=name, enough=enough: lines(name) >= enough, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert lines("judgements") < 30
    process = start()
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed.decode()
    for name in ("answers", "judgements"):
        keys = [row["key"] for row in stored(profile, name)]
        assert len(keys) == len({*keys}) == 30
    # what was on its way when the process was killed was not heard, and is asked once more
    assert server.seen.total() - 30 in (0, 1)
    (written,) = folder_of(profile).glob("bench-*.json")
    assert all(row["score"]["n"] == 10 for row in read_json(written)["languages"].values())


def test_an_outage_of_the_judge_keeps_answers_and_judgements(profile, tmp_path, serve):
    up = [True]
    server = serve(
        pick=lambda text, number: (
            Fault.NONE if up[0] or server.faults[Fault.NONE] < 2 else Fault.RESET
        )
    )
    up[0] = False
    scale = save_tiny(profile)
    judge = judge_at(server.url, server={"concurrency": 1}, stall_timeout_s=1.0)
    profile = with_judge(profile, judge)
    root = make_bench(tmp_path / "bench")
    with pytest.raises(UserError, match="What was answered is kept"):
        evaluate_set(scale, profile, root, TRANSFORMERS)
    assert (len(stored(profile, "answers")), len(stored(profile, "judgements"))) == (6, 2)
    up[0] = True
    result = evaluate_set(scale, profile, root, TRANSFORMERS)
    assert server.faults[Fault.NONE] == 6
    assert result["languages"]["ur"]["score"]["n"] == 3
