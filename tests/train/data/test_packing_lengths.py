import json
import os
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from palo.languages import LANGUAGES
from tests.train.conftest import encode
from train.data import mixture as mixture_module
from train.data import packing
from train.data.mixture import CODES, SCHEMA, Mixture, open_captions, open_mixture
from train.data.packing import CutCount, Measure, measure
from train.data.template import IGNORED, BadConversation, Template, caption_spans

GOLDEN = Path(__file__).parents[2] / "golden"
TALKS = {
    "en": ("Who is it?", "A man with a red umbrella.", "Where?", "In the rain, by the river."),
    "hi": ("यह कौन है?", "लाल छाता लिए एक आदमी।", "कहाँ?", "बारिश में, नदी के किनारे।"),
    "bn": ("এটা কে?", "লাল ছাতা হাতে একজন মানুষ।", "কোথায়?", "বৃষ্টিতে, নদীর ধারে।"),
    "ur": ("یہ کون ہے؟", "سرخ چھتری والا آدمی۔", "کہاں؟", "بارش میں، دریا کے کنارے۔"),
    "zh": ("这是谁？", "一个打红伞的男人。", "在哪里？", "在雨中，河边。"),
}

LIMIT = 735  # tokens that English and Urdu fit into, and the first round of every language


def caption(template, text, *limits):
    return template.fit(caption_spans(text), *limits)


@pytest.fixture(scope="module")
def template():
    return Template(AutoTokenizer.from_pretrained(GOLDEN / "tokenizer"))


def row(number, lang, texts, image="a.jpg", roles=None):
    said = [f"<image>\n{texts[0]}", *texts[1:]] if image else [*texts]
    letters = roles or "hg" * (len(said) // 2)
    values = (f"s{number}", CODES[lang], image, letters, said)
    return dict(zip(SCHEMA.names, values, strict=True))


def mixture_of(tmp_path, rows):
    about = {"languages": [*LANGUAGES], "roots": ["/images"] * len(LANGUAGES)}
    mixture_module._write(tmp_path / "mixture-x.arrow", about, rows)
    return Mixture(tmp_path / "mixture-x.arrow")


def measured(mixture, template, max_length=0, image_tokens=576, as_captions=False, **kwargs):
    return measure(mixture, Measure(template, image_tokens, max_length, as_captions), **kwargs)


def talks(tmp_path):
    return mixture_of(tmp_path, [row(lang, lang, said) for lang, said in TALKS.items()])


def supervised(encoded):
    return sum(label != IGNORED for label in encoded.labels)


def test_lengths_are_those_of_the_encoding_with_the_image_in_full(tmp_path, template):
    mixture = talks(tmp_path)
    found = measured(mixture, template)
    whole = [encode(template, one.turns, True).length(576) for one in mixture]
    assert (found.tokens.dtype, found.tokens.tolist()) == (np.int32, whole)
    assert (found.tokens > 0).all()
    assert found.unusable == []
    assert found.cut == {lang: CutCount(conversations=1) for lang in TALKS}


def test_cuts_are_counted_for_each_language(tmp_path, template):
    mixture = talks(tmp_path)
    found = measured(mixture, template, LIMIT)
    cut = 0
    for index, example in enumerate(mixture):
        whole = encode(template, example.turns, True)
        one = encode(template, example.turns[:2], True)
        expected = CutCount(conversations=1)
        if whole.length(576) > LIMIT:
            assert one.length(576) <= LIMIT
            cut += 1
            expected = CutCount(
                conversations=1,
                cut=1,
                rounds_dropped=1,
                tokens_dropped=len(whole.input_ids) - len(one.input_ids),
                supervised_dropped=supervised(whole) - supervised(one),
            )
        assert found.cut[example.lang] == expected
        assert found.tokens[index] == (one if expected.cut else whole).length(576)
    assert 0 < cut < len(TALKS)


def test_text_alone_has_the_whole_length(tmp_path, template):
    mixture = mixture_of(tmp_path, [row(1, "en", TALKS["en"], image=None)])
    length = len(encode(template, mixture[0].turns, False).input_ids)
    assert measured(mixture, template, length).tokens.tolist() == [length]
    assert measured(mixture, template, length).cut["en"].cut == 0


def test_what_cannot_be_used_has_no_tokens_and_a_reason(tmp_path, template):
    rows = [
        row("good", "en", TALKS["en"]),
        row("untagged", "ur", TALKS["ur"]) | {"texts": [*TALKS["ur"]]},
        row("escape", "hi", TALKS["hi"], image="../a.jpg"),
        row("empty", "hi", (TALKS["hi"][0], " ")),
        row("long", "bn", ("প্রশ্ন " * 900, "হ্যাঁ।")),
        row("odd", "bn", TALKS["bn"], roles="gghg"),
    ]
    found = measured(mixture_of(tmp_path, rows), template, 2048)
    assert (found.tokens > 0).tolist() == [True] + [False] * 5
    assert found.unusable == [
        ("suntagged", "ur", "0 <image> tags in the questions, not one"),
        ("sescape", "hi", "image name '../a.jpg' leads out of the images' folder"),
        ("sempty", "hi", "empty turn"),
        ("sodd", "bn", "roles do not alternate"),
        ("slong", "bn", "the first round does not fit"),
    ]
    assert found.refused == [found.unusable[1]]
    assert {lang: one.unusable for lang, one in found.cut.items()} == {
        "en": 0,
        "ur": 1,
        "hi": 2,
        "bn": 2,
    }


def test_captions_are_measured_as_stage_1_has_them(tmp_path, template):
    rows = [
        row(1, "en", TALKS["en"]),
        row(2, "en", TALKS["en"], image=None),
        row(3, "en", ("", "")),
    ]
    mixture = mixture_of(tmp_path, rows)
    found = measured(mixture, template, as_captions=True)
    length = caption(template, TALKS["en"][1]).length(576)
    assert found.tokens.tolist() == [length, 0, 0]
    assert [one.reason for one in found.unusable] == [
        "a caption needs an image and a text",
        "empty caption",
    ]
    assert measured(mixture, template, length - 2, as_captions=True).cut["en"].tokens_dropped == 2


def test_any_number_of_processes_measures_the_same(tmp_path, template, monkeypatch):
    monkeypatch.setattr(packing, "CHUNK_ROWS", 8)
    monkeypatch.setattr(packing, "PARALLEL_ROWS", 10)
    names = [*TALKS]
    rows = [row(at, names[at % 5], TALKS[names[at % 5]] * (at % 4 + 1)) for at in range(60)]
    rows[17]["roles"] = "g" * len(rows[17]["texts"])
    mixture = mixture_of(tmp_path, rows)
    ticks = []
    one = measured(mixture, template, LIMIT + 60, processes=1, tick=ticks.append)
    files = sorted(tmp_path.glob("mixture-x-*"))
    first = [path.read_bytes() for path in files]
    for path in files:
        path.unlink()
    two = measured(mixture, template, LIMIT + 60, processes=2)
    assert [path.read_bytes() for path in files] == first
    assert (two.tokens == one.tokens).all()
    assert (two.unusable, two.cut) == (one.unusable, one.cut)
    assert (len(one.unusable), sum(ticks)) == (1, 60)


def test_lengths_are_read_back_and_follow_all_they_depend_on(tmp_path, template, monkeypatch):
    mixture = talks(tmp_path)
    first = measured(mixture, template, LIMIT)
    with monkeypatch.context() as patched:
        patched.setattr(packing, "in_order", None)  # not measured again
        again = measured(mixture, template, LIMIT)
        assert (again.tokens == first.tokens).all()
        assert isinstance(again.tokens, np.memmap)
        assert (again.unusable, again.refused, again.cut) == ([], [], first.cut)
        assert first.cut["hi"].cut == 1
    count = len(list(tmp_path.glob("mixture-x-*.npy")))
    measured(mixture, template, LIMIT + 1)
    measured(mixture, template, LIMIT, image_tokens=144)
    measured(mixture, template, LIMIT, as_captions=True)
    assert len(list(tmp_path.glob("mixture-x-*.npy"))) == count + 3


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_damaged_lengths_are_measured_again(tmp_path, template, suffix, content):
    mixture = talks(tmp_path)
    first = measured(mixture, template, LIMIT).tokens.tolist()
    [path] = tmp_path.glob(f"mixture-x-*{suffix}")
    whole = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert measured(mixture, template, LIMIT).tokens.tolist() == first
    assert path.read_bytes() == whole


def test_measuring_leaves_the_environment_as_it_was(tmp_path, template, monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    measured(talks(tmp_path), template, LIMIT)
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"
    monkeypatch.delenv("TOKENIZERS_PARALLELISM")
    measured(talks(tmp_path), template, LIMIT + 1)
    assert "TOKENIZERS_PARALLELISM" not in os.environ


def test_an_example_is_encoded_as_it_was_measured(profile, template):
    mixture = open_mixture(profile)
    for limit in (0, 300, 120):
        found = measured(mixture, template, limit, image_tokens=16)
        how = Measure(template, 16, limit, as_captions=False)
        for index, example in enumerate(mixture):
            try:
                length = how.encode(example).length(16)
            except BadConversation:
                length = 0
            assert found.tokens[index] == length
    captions = open_captions(profile)
    found = measured(captions, template, image_tokens=16, as_captions=True)
    how = Measure(template, 16, 0, as_captions=True)
    assert [how.encode(one).length(16) for one in captions] == found.tokens.tolist()
    listed = json.loads(next(profile.data_dir.glob("mixture/captions-*-*.json")).read_text("utf-8"))
    assert listed["cut"]["en"]["conversations"] == len(captions)
