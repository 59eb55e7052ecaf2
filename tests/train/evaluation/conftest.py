"""Sets of a few questions, a small real checkpoint, and a judge that is a server."""

import json

import pytest
import yaml
from PIL import Image

from palo.settings import AnswerJudgeSettings, BenchRunSettings, JudgeServer
from tests.faulty_server import FaultyServer
from tests.train.conftest import ROOT, make_model, make_scale, make_tokenizer
from train.data.images import make_processor
from train.model.checkpoint import save_checkpoint

SIZES = [(64, 64), (96, 40), (30, 71)]
CATEGORIES = ("conv", "detail", "complex")


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def make_bench(root, langs=("en", "ur"), count=3, exact=None):
    """`exact(n)`: what the n-th reference answer says of being right; None: nothing."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    for n in range(count):
        picture = Image.new("RGB", SIZES[n % 3], (80 * n % 256, 40, 200))
        picture.save(root / "images" / f"{n:03d}.png")
    for lang in langs:
        asked = [
            {
                "question_id": n,
                "image": f"{n:03d}.png",
                "text": f"What is it? {lang} {n}",
                "category": CATEGORIES[n % 3],
            }
            for n in range(count)
        ]
        replies = [
            {"question_id": n, "text": f"A red circle. {lang} {n}", "answer_id": f"a{n}"}
            | ({"exact": exact(n)} if exact else {})
            for n in range(count)
        ]
        told = [
            {"id": f"{n:03d}", "image": f"{n:03d}.png", "caption": f"Told {n}"}
            for n in range(count)
        ]
        write_lines(root / lang / "questions.jsonl", asked)
        write_lines(root / lang / "answers_gpt4.jsonl", replies)
        write_lines(root / lang / "context.jsonl", told)
    return root


def save_tiny(profile, name="7b", seed=0):
    """A checkpoint of random weights where `palo train` would have put it; its scale."""
    import torch

    scale = make_scale(name)
    tokenizer = make_tokenizer()
    model = make_model(scale, tokenizer)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.add_(torch.randn_like(parameter))
    folder = profile.paths.checkpoint(name)
    save_checkpoint(folder, model.eval(), tokenizer, make_processor(scale.image_size))
    return scale


def judge_at(url, **changed):
    server = JudgeServer(base_url=url, timeout_s=2.0, max_retries=0, concurrency=4)
    if "server" in changed:
        server = server.model_copy(update=changed.pop("server"))
    return AnswerJudgeSettings(model="strict-judge", server=server, **changed)


def with_judge(profile, judge, **bench):
    """The profile with this judge and short answers."""
    settings = BenchRunSettings(**{"max_new_tokens": 8, "resamples": 1000} | bench)
    changed = {"judge": judge, "bench": settings}
    return profile.model_copy(update={"evaluate": profile.evaluate.model_copy(update=changed)})


def material(asked):
    """What a judge was shown: the JSON that a prompt begins with."""
    return json.JSONDecoder().raw_decode(asked)[0]


def write_project(folder, judge):
    """A pipelines.yaml in which the tiny scales are the sample profile's; its path."""
    config = yaml.safe_load((ROOT / "pipelines.yaml").read_text("utf-8"))
    sample = config["profiles"]["sample"]
    sample["train"]["scales_dir"] = "scales"
    sample["evaluate"] |= {"bench": {"max_new_tokens": 8, "resamples": 1000}, "judge": judge}
    for name in ("7b", "13b", "1.7b"):
        scale = make_scale(name).model_dump(mode="json", exclude={"name"})
        path = folder / "scales" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(scale), "utf-8")
    path = folder / "pipelines.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), "utf-8")
    return path


@pytest.fixture
def serve():
    """Starts judges: `serve(say, pick)`; all end with the test."""
    from contextlib import ExitStack

    from tests.faulty_server import Fault

    with ExitStack() as stack:

        def start(say=lambda asked: "8 6\nWhy.", pick=lambda asked, number: Fault.NONE):
            return stack.enter_context(FaultyServer(pick, say).running())

        yield start
