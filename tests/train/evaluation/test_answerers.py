"""vLLM in process gives a checkpoint's own answers; MobilePALO comes in by the plug-in."""

import shlex

import pytest
import yaml

from palo.cli import app, guarded
from palo.files import read_json
from palo.settings import AnswerEngine
from tests.train.conftest import make_scale
from tests.train.evaluation.conftest import make_bench, with_judge, write_project
from tests.train.evaluation.test_benchmark_docs import VLLM
from tests.train.serving.conftest import build
from train.evaluation.answerers import TransformersAnswerer
from train.evaluation.benchmark import evaluate_set
from train.model.checkpoint import save_checkpoint

pytest.importorskip("vllm", reason="vLLM is not installed")
pytestmark = [pytest.mark.vllm, pytest.mark.slow]

IMAGE_SIZE = 336


def test_the_command_answers_through_vllm_as_through_transformers(
    profile, tmp_path, monkeypatch, capfd
):
    folder = profile.paths.checkpoint("1.7b")
    save_checkpoint(folder, *build("1.7b", IMAGE_SIZE, 14, 20))
    root = make_bench(tmp_path / "bench", ("en", "ur"), 3)
    config = write_project(tmp_path, None)
    scale_path = tmp_path / "scales" / "1.7b.yaml"
    scale = yaml.safe_load(scale_path.read_text("utf-8")) | {"image_size": IMAGE_SIZE}
    scale_path.write_text(yaml.safe_dump(scale), "utf-8")
    monkeypatch.setenv("PALO_CONFIG", str(config))
    (line,) = VLLM
    command = [str(root) if word == "DIR" else word for word in shlex.split(line)[1:]]
    assert guarded(lambda: app([*command, "--no-judge"])) == 0
    (path,) = profile.paths.evaluation("1.7b").with_suffix("").glob("bench-*.json")
    answers = read_json(path)["answers"]
    asked = [(row["question"], root / "images" / f"00{row['question_id']}.png") for row in answers]
    wanted = TransformersAnswerer(folder, 2, 8).answer(asked, lambda count: None)
    assert [row["answer"] for row in answers] == wanted
    assert len({*wanted}) > 1
    # the engine decides no text: what one has answered the other need not be asked
    monkeypatch.setattr("train.evaluation.answerers.open_answerer", None)
    sized = make_scale("1.7b").model_copy(update={"image_size": IMAGE_SIZE})
    again = evaluate_set(
        sized, with_judge(profile, None), root, AnswerEngine.TRANSFORMERS, with_judge=False
    )
    assert [row["answer"] for row in again["answers"]] == wanted


def test_without_vllm_it_is_said_what_to_install(monkeypatch, tmp_path, profile):
    from palo.errors import MissingResource
    from train.evaluation import answerers

    monkeypatch.setattr(answerers, "find_spec", lambda name: None)
    with pytest.raises(MissingResource, match=r"vLLM is not installed: run `pip install"):
        answerers.open_answerer(AnswerEngine.VLLM, profile.evaluate, 8, tmp_path).__enter__()
