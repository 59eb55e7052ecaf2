"""The published layout of a LLaVA-Bench-style set: read, checked, written as it was."""

import pytest

from palo.benchmark_set import (
    Line,
    read_set,
    set_languages,
    write_set,
)
from palo.errors import UserError

# As LLaVA publishes its set, field orders and repeated captions included.
QUESTIONS = """\
{"question_id": 0, "image": "001.jpg", "text": "What is this?", "category": "conv"}
{"image": "001.jpg", "text": "Describe this photo in detail.", "category": "detail", \
"question_id": 1}
{"question_id": 2, "image": "002.jpg", "text": "Why \\u2014 \\"so\\"?", "category": "complex", \
"x": [1]}
"""
ANSWERS = """\
{"question_id": 0, "prompt": "What is this?", "answer_id": "TeyehN", "model_id": "gpt-4-0314", \
"metadata": {}, "text": "A head.\\n\\nOf stone."}
{"question_id": 1, "text": "A photo.", "model_id": "gpt-4-0314"}
{"question_id":2,"text":"Because.","prompt":""}
"""
CONTEXT = """\
{"id": "001", "image": "001.jpg", "caption": "An aerial view."}
{"id": "002", "image": "002.jpg", "caption": ["One.", "Two\u2028lines."]}
{"id": "001", "image": "001.jpg", "caption": "An aerial view."}
"""


def publish(folder, questions="questions.jsonl", answers="answers_gpt4.jsonl"):
    folder.mkdir(parents=True)
    (folder / questions).write_text(QUESTIONS, encoding="utf-8")
    (folder / answers).write_text(ANSWERS, encoding="utf-8")
    (folder / "context.jsonl").write_text(CONTEXT, encoding="utf-8")
    return folder


def said_of(root, lang="en"):
    with pytest.raises(UserError) as raised:
        read_set(root, lang)
    return str(raised.value)


def replace_line(path, number, line):
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[number - 1] = line
    path.write_text("\n".join(lines), encoding="utf-8")


def test_a_set_is_read_field_by_field(tmp_path):
    bench = read_set(publish(tmp_path / "set"), "en")
    assert [one.question_id for one in bench.questions] == [0, 1, 2]
    assert bench.questions[2].text == 'Why \u2014 "so"?'
    assert [one.category for one in bench.questions] == ["conv", "detail", "complex"]
    assert bench.images_dir == tmp_path / "set" / "images"
    assert bench.caption("001.jpg") == "An aerial view."
    assert bench.caption("002.jpg") == "One.\nTwo\u2028lines."
    assert bench.reference()[0].text == "A head.\n\nOf stone."
    assert bench.reference("gpt4")[0].fields["model_id"] == "gpt-4-0314"
    assert (bench.reference()[0].prompt, bench.reference()[2].prompt) == ("What is this?", None)


def test_what_does_not_change_is_written_byte_for_byte(tmp_path):
    published = publish(tmp_path / "set")
    bench = read_set(published, "en")
    write_set(bench, tmp_path / "again")
    for path in bench.paths:
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    assert read_set(tmp_path / "again", "en").questions == bench.questions


def test_a_line_that_changes_keeps_its_other_fields_and_their_order(tmp_path):
    one = read_set(publish(tmp_path / "set"), "en").questions[2]
    assert str(one.saying(text="کیوں؟")) == (
        '{"question_id": 2, "image": "002.jpg", "text": "کیوں؟", "category": "complex", "x": [1]}'
    )


def test_what_was_read_from_no_file_is_written_field_by_field():
    line = Line({"question_id": 7, "image": "a.jpg", "caption": ["A.", "B."]})
    assert str(line) == '{"question_id": 7, "image": "a.jpg", "caption": ["A.", "B."]}'
    assert (line.question_id, line.image, line.captions) == (7, "a.jpg", ("A.", "B."))


def test_half_a_character_in_a_field_that_is_carried_along_stays_as_it_was():
    entry = Line({"question_id": 1, "text": "a", "note": "\ud83d"}, "{}")
    assert str(entry.saying(text="b")) == '{"question_id": 1, "text": "b", "note": "\\ud83d"}'


@pytest.mark.parametrize(
    ("folder", "questions", "answers"),
    [
        ("ur", "questions.jsonl", "answers_gpt4.jsonl"),
        ("urdu", "question.jsonl", "answers.jsonl"),
        ("urdu/corrected", "question.jsonl", "answers.jsonl"),
    ],
)
def test_a_language_lies_where_it_is_published(tmp_path, folder, questions, answers):
    publish(tmp_path / "english")
    publish(tmp_path / folder, questions, answers)
    bench = read_set(tmp_path, "ur")
    assert (bench.folder, bench.images_dir) == (tmp_path / folder, tmp_path / "images")
    assert list(bench.reference()) == [0, 1, 2]
    assert set_languages(tmp_path) == ["en", "ur"]


def test_corrected_files_go_before_others_and_built_ones_before_both(tmp_path):
    for folder in ("urdu", "urdu/corrected", "ur"):
        publish(tmp_path / folder)
        assert read_set(tmp_path, "ur").folder == tmp_path / folder


def test_english_lies_in_the_root_where_it_has_no_folder(tmp_path):
    assert read_set(publish(tmp_path / "set"), "en").folder == tmp_path / "set"
    publish(tmp_path / "set" / "en")
    assert read_set(tmp_path / "set", "en").folder == tmp_path / "set" / "en"


def test_marks_line_ends_and_blank_lines_of_other_programs_are_no_harm(tmp_path):
    folder = publish(tmp_path / "set")
    plain = read_set(folder, "en").questions
    path = folder / "questions.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + QUESTIONS.replace("\n", "\r\n\r\n").encode())
    bench = read_set(folder, "en")
    assert bench.questions == plain
    assert bench.file_texts()["questions.jsonl"] == QUESTIONS


def test_several_references_are_named_or_gpt4s_is_taken(tmp_path):
    folder = publish(tmp_path / "set")
    (folder / "answers_bard.jsonl").write_text(ANSWERS)
    (folder / "answers2.jsonl").write_text("no reference")
    bench = read_set(folder, "en")
    assert list(bench.answers) == ["answers_bard", "answers_gpt4"]
    assert bench.reference()[1] is bench.answers["answers_gpt4"][1]
    assert bench.reference("bard")[1] is bench.answers["answers_bard"][1]
    with pytest.raises(UserError, match=r"^Unknown reference 'brad'\. Did you mean 'bard'\?"):
        bench.reference("brad")
    (folder / "answers_gpt4.jsonl").rename(folder / "answers_claude.jsonl")
    with pytest.raises(UserError, match="several references, name one: answers_bard answers_cla"):
        read_set(folder, "en").reference()


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("questions.jsonl", '{"question_id": 1, ', "questions.jsonl, line 2 is not valid JSON: "),
        ("questions.jsonl", "[" * 100_000, "questions.jsonl, line 2 is not valid JSON: "),
        ("questions.jsonl", "[1]", "questions.jsonl, line 2 must be a JSON object, not '[1]'."),
        (
            "questions.jsonl",
            '{"question_id": 0, "image": "1.jpg", "text": "a", "category": "conv"}',
            "questions.jsonl has question_id 0 twice: remove one of them.",
        ),
        (
            "questions.jsonl",
            '{"question_id": "0", "image": "1.jpg", "text": "a", "category": "conv"}',
            "questions.jsonl has question_id 0 twice: remove one of them.",
        ),
        (
            "questions.jsonl",
            '{"question_id": 1, "image": "1.jpg", "category": "conv"}',
            "questions.jsonl, line 2: field 'text' is missing or null: it must be a text.",
        ),
        (
            "questions.jsonl",
            '{"question_id": true, "image": "1.jpg", "text": "a", "category": "conv"}',
            "line 2: field 'question_id' is 'True': it must be a number or a text.",
        ),
        (
            "questions.jsonl",
            '{"question_id": 1, "image": "../1.jpg", "text": "a", "category": "conv"}',
            "line 2: field 'image' is '../1.jpg', a path that leads out of the images.",
        ),
        (
            "questions.jsonl",
            '{"question_id": 1, "image": "1.jpg", "text": "\\ud83d", "category": "conv"}',
            "line 2: field 'text' holds a NUL or half a character (a lone surrogate).",
        ),
        (
            "questions.jsonl",
            '{"question_id": 1, "image": "9.jpg", "text": "a", "category": "conv"}',
            "context.jsonl has no caption of 9.jpg.",
        ),
        (
            "answers_gpt4.jsonl",
            '{"question_id": 9, "text": "a"}',
            "answers_gpt4.jsonl, line 2: field 'question_id' 9 is no question of this set.",
        ),
        (
            "answers_gpt4.jsonl",
            '{"question_id": 0, "text": "a"}',
            "answers_gpt4.jsonl has question_id 0 twice: remove one of them.",
        ),
        ("answers_gpt4.jsonl", "", "answers_gpt4.jsonl has no answer to question 1."),
        (
            "answers_gpt4.jsonl",
            '{"question_id": 1, "text": " "}',
            "line 2: field 'text' is ' ': it must be a text.",
        ),
        (
            "context.jsonl",
            '{"image": "002.jpg", "caption": []}',
            "line 2: field 'caption' is '[]': it must be a text.",
        ),
        (
            "context.jsonl",
            '{"image": "001.jpg", "caption": "Another."}',
            "context.jsonl has two captions of 001.jpg: keep one of them.",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_field(tmp_path, name, line, message):
    folder = publish(tmp_path / "set")
    replace_line(folder / name, 2, line)
    assert message in said_of(folder)
    assert str(folder / name) in said_of(folder) or name == "questions.jsonl"


def test_a_set_that_lacks_a_file_is_said_to(tmp_path):
    folder = publish(tmp_path / "set")
    assert said_of(folder, "ur") == (
        f"No questions.jsonl of 'ur' in {folder / 'ur'}. Build it: palo bench build --lang ur"
    )
    (folder / "answers_gpt4.jsonl").unlink()
    assert said_of(folder).startswith(f"No answers_<model>.jsonl in {folder}: ")
    (folder / "context.jsonl").unlink()
    assert said_of(folder) == f"No context.jsonl in {folder}: the set is not whole."
    (folder / "questions.jsonl").write_bytes(b"\xff{}")
    assert said_of(folder).startswith(f"{folder / 'questions.jsonl'} is not UTF-8 text: ")
    (folder / "questions.jsonl").write_text("\n")
    assert said_of(folder) == f"{folder / 'questions.jsonl'} holds no question."
    (folder / "questions.jsonl").unlink()
    assert said_of(folder) == f"No questions.jsonl of 'en' in {folder}. Check the bench folder."
