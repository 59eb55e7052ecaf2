from dataclasses import replace

import pytest

from palo.errors import UserError
from palo.languages import TARGETS
from palo.schemas import Role, Sample, Turn
from palo.settings import Context
from translate.job import Term, load_prompt
from translate.segments import segment
from translate.validate import Problem


@pytest.mark.parametrize("lang", TARGETS)
def test_every_language_has_an_instruction_that_names_its_task(lang):
    prompt = load_prompt(lang)
    assert prompt.instruction.startswith("Translate the text from English into ")
    assert "<x1>" in prompt.instruction
    assert "{" not in prompt.instruction


def test_what_never_changes_comes_first_and_the_text_last():
    prompt = load_prompt("ur")
    told = prompt.render("Two.", "How many?")
    assert told == f"{prompt.instruction}\nWhat was said before it: How many?\nText: Two."
    assert prompt.render("Two.", "") == f"{prompt.instruction}\nText: Two."


def test_register_and_script_are_named_where_a_model_would_have_to_guess():
    assert "Simplified Chinese" in load_prompt("zh").instruction
    assert "Modern Standard Arabic" in load_prompt("ar").instruction
    assert "です・ます" in load_prompt("ja").instruction
    assert "ی ک" in load_prompt("ur").instruction


def test_version_changes_with_any_word_and_differs_between_languages():
    prompt = load_prompt("fr")
    versions = {load_prompt(lang).version for lang in TARGETS}
    assert len(versions) == len(TARGETS)
    assert replace(prompt, instruction=prompt.instruction + " ").version != prompt.version
    labels = prompt.labels | {"text": "\nText:"}
    assert replace(prompt, labels=labels).version != prompt.version
    assert replace(prompt, notes={}).version != prompt.version
    assert replace(prompt).version == prompt.version


def test_terms_and_a_note_on_the_last_answer_stand_between_context_and_text():
    prompt = load_prompt("fr")
    told = prompt.render("A bus.", "What?", (Term("bus", "autobus"), Term("car", "auto")), "empty")
    assert told == (
        f"{prompt.instruction}\nWhat was said before it: What?"
        "\nTranslate these terms so: bus = autobus; car = auto"
        "\nThe last answer was empty. Translate the whole text.\nText: A bus."
    )


def test_everything_that_can_be_wrong_with_an_answer_has_its_note():
    wanted = {str(problem) for problem in Problem} - {"engine error"}  # that is not asked again
    assert load_prompt("fr").notes.keys() == wanted


def test_language_without_a_prompt_file_says_which_file_to_write():
    with pytest.raises(UserError, match=r"write .*prompts/xx.yaml"):
        load_prompt("xx")


def test_an_answers_limit_follows_text_and_language_and_a_retry_has_the_same(make_job):
    cut = segment((Turn(Role.HUMAN, "What is in the picture? " * 20),), 0, Context.SOURCE)
    for lang, limit in (("fr", 351), ("bn", 1169)):
        job = make_job(lang)
        first, again = (job.request(cut, b"abcdefgh", attempt).sampling for attempt in (0, 1))
        assert (first.max_tokens, first.temperature) == (limit, 0.0)
        assert (again.max_tokens, again.temperature) == (limit, 0.7)
    fixed = make_job("bn", max_tokens=160)
    assert fixed.request(cut, b"abcdefgh", 0).sampling.max_tokens == 160


def test_every_turn_of_a_sample_is_cut_with_the_key_that_asks_for_it(make_job):
    texts = ("<image>\nWhat is it?", "A star.", "12 + 3?", "15")
    turns = tuple(Turn((Role.HUMAN, Role.GPT)[at % 2], text) for at, text in enumerate(texts))
    sample = Sample("s", "s", "a.jpg", turns, "test")
    job = make_job()
    cuts = list(job.cuts(sample))
    assert [cut.text for cut, _ in cuts] == ["What is it?", "A star.", "12 + 3?", "15"]
    assert [key for _, key in cuts] == [job.key(cuts[0][0]), job.key(cuts[1][0]), b"", b""]
    dialogue, said = make_job(context=Context.DIALOGUE), []
    for cut, _ in dialogue.cuts(sample, said):
        assert cut.before.shown.count("Translation: ") == len(said)
        said.append("Voilà.")
