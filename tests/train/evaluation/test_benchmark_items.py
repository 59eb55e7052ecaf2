import json
import shutil

import pytest

from palo.errors import UserError
from tests.train.evaluation.conftest import make_bench, write_lines
from train.evaluation.benchmark import answer_key, read_items, set_digest

DECODING = {"greedy": True}


def test_a_set_is_read_in_every_language_it_is_in_in_the_table_s_order(tmp_path):
    items = read_items(make_bench(tmp_path, ("ur", "en", "zh"), 2), None)
    assert [(one.lang, one.question_id) for one in items] == [
        (lang, n) for lang in ("en", "zh", "ur") for n in "01"
    ]
    assert items[0].context == "Told 0"
    assert items[0].reference == "A red circle. en 0"
    assert items[0].accepted == ()


def test_palo_s_own_layout_is_read(tmp_path):
    root = make_bench(tmp_path, ("en", "ur"), 2)
    corrected = root / "urdu" / "corrected"
    corrected.parent.mkdir()
    shutil.move(root / "ur", corrected)
    (corrected / "questions.jsonl").rename(corrected / "question.jsonl")
    (corrected / "answers_gpt4.jsonl").rename(corrected / "answers.jsonl")
    assert [one.lang for one in read_items(root, None)] == ["en", "en", "ur", "ur"]


def test_exact_answers_are_the_reference_alone_or_a_list(tmp_path):
    root = make_bench(tmp_path, ("en",), 3, lambda n: (True, ["Red.", "It is red."], False)[n])
    assert [one.accepted for one in read_items(root, None)] == [
        ("A red circle. en 0",),
        ("Red.", "It is red."),
        (),
    ]


@pytest.mark.parametrize("bad", [[], "yes", 1, [1], {}])
def test_any_other_word_on_exactness_is_refused(tmp_path, bad):
    root = make_bench(tmp_path, ("en",), 1, lambda n: bad)
    with pytest.raises(UserError, match="must be true or a list of texts"):
        read_items(root, None)


def test_the_reference_may_be_named(tmp_path):
    root = make_bench(tmp_path, ("en",), 1)
    write_lines(root / "en" / "answers_gpt5.jsonl", [{"question_id": 0, "text": "Newer."}])
    assert read_items(root, None)[0].reference == "A red circle. en 0"
    assert read_items(root, "gpt5")[0].reference == "Newer."
    with pytest.raises(UserError, match="Unknown reference 'gpt6'"):
        read_items(root, "gpt6")


def test_an_answer_s_key_is_of_model_decoding_words_and_picture_alone(tmp_path):
    one, other = read_items(make_bench(tmp_path / "a", ("en",), 2), None)
    key = answer_key(one, "model", DECODING)
    assert key != answer_key(other, "model", DECODING)
    assert key != answer_key(one, "other model", DECODING)
    assert key != answer_key(one, "model", {"greedy": False})
    root = make_bench(tmp_path / "b", ("en",), 2)
    row = json.loads((root / "en" / "questions.jsonl").read_text("utf-8").split("\n")[0])
    (root / "images" / "000.png").rename(root / "images" / "new.png")
    rows = [row | {"question_id": 9, "category": "new", "image": "new.png"}]
    write_lines(root / "en" / "questions.jsonl", rows)
    write_lines(root / "en" / "answers_gpt4.jsonl", [{"question_id": 9, "text": "Another."}])
    write_lines(root / "en" / "context.jsonl", [{"image": "new.png", "caption": "Told"}])
    (moved,) = read_items(root, None)
    assert answer_key(moved, "model", DECODING) == key


def test_the_set_s_digest_is_of_all_that_is_asked_and_shown_and_of_no_path(tmp_path):
    first = set_digest(read_items(make_bench(tmp_path / "a"), None))
    assert first == set_digest(read_items(make_bench(tmp_path / "b"), None))
    told = [{"image": f"00{n}.png", "caption": "Otherwise"} for n in range(3)]
    write_lines(tmp_path / "b" / "ur" / "context.jsonl", told)
    assert first != set_digest(read_items(tmp_path / "b", None))
