"""A small run's data, written by hand: three source samples, two of them translated into Urdu."""

import pytest
from PIL import Image

from palo.files import write_json
from palo.schemas import (
    REFINED,
    SOURCE,
    TRANSLATED,
    Finding,
    RefinedSample,
    Role,
    Sample,
    TranslatedSample,
    Turn,
    TurnMeta,
    TurnStatus,
    Verdict,
)
from palo.settings import load_profile
from palo.shards import shard_name, to_row, write_shard

QUESTION = Turn(Role.HUMAN, "<image>\nHow many stars are there?")
ASKED = Turn(Role.HUMAN, "<image>\nکتنے ستارے ہیں؟")
META = TurnMeta(TurnStatus.TRANSLATED, 1, "stop", None, "scripted", "s/1", "ab", "")
CLEAN = (Finding("script", 1.0, Verdict.PASS, ""),)
COUNTS = ("samples", "turns", "kept", "flagged", "reviewed")


def source(number, image):
    sample_id = f"s-{number}"
    return Sample(sample_id, "1", image, (QUESTION, Turn(Role.GPT, f"{number}.")), "x.json")


def translated(sample, answer):
    target = (ASKED, Turn(Role.GPT, answer))
    return TranslatedSample(
        sample.sample_id, "1", "ur", sample.image, sample.turns, target, (META, META), "x.json"
    )


def refined(sample, verdict, *findings):
    return RefinedSample(
        sample, (CLEAN, findings), (Verdict.PASS, verdict), verdict, not verdict.flagged
    )


@pytest.fixture
def run_data(project):
    """The sample profile with data: source (2 shards), Urdu translated and refined, a picture."""
    profile = load_profile("sample")
    paths = profile.paths
    images_dir = profile.source.images_dir
    (images_dir / "source").mkdir(parents=True)
    Image.new("RGB", (256, 200), (250, 0, 0)).save(images_dir / "source" / "red.jpg")
    (images_dir / "source" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")

    samples = [source(0, "source/red.jpg"), source(1, "source/broken.jpg"), source(2, None)]
    for index, part in enumerate((samples[:2], samples[2:])):
        rows = [to_row(sample) for sample in part]
        path = paths.source_dir / shard_name(index)
        write_shard(path, rows, SOURCE, {}, {"samples": len(rows)})

    done = [translated(samples[0], "دو ستارے۔"), translated(samples[1], "<b>two</b>")]
    rows = [to_row(sample) for sample in done]
    write_shard(paths.translated("ur") / shard_name(0), rows, TRANSLATED, {}, {"samples": 2})
    judged = [
        refined(done[0], Verdict.PASS),
        refined(
            done[1],
            Verdict.REVIEW,
            Finding("script", 0.0, Verdict.REVIEW, "no Arabic letters"),
            Finding("language", None, Verdict.NOTE, "looks like en"),
        ),
    ]
    rows = [to_row(sample) for sample in judged]
    write_shard(paths.refined("ur") / shard_name(0), rows, REFINED, {}, {"samples": 2})
    manifest = dict(zip(COUNTS, (2, 4, 1, 1, 3), strict=True))
    manifest |= {"lang": "ur", "by_reason": {"script": 1, "language": 1}}
    write_json(paths.refined("ur") / "manifest.json", manifest)
    return profile
