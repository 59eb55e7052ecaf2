import pytest

from palo.schemas import Role, Turn
from palo.settings import Context
from translate.segments import MAX_CONTEXT_CHARS, NOTHING, Before, segment


def before(*arguments):
    return segment(*arguments).before


def talk(*texts):
    return tuple(Turn((Role.HUMAN, Role.GPT)[at % 2], text) for at, text in enumerate(texts))


DOG = talk(
    "<image>\nWhat is in the picture?",
    "A dog.",
    "What colour is it?",
    "Brown.",
    "How many cats are there?",
    "Two.",
)


def test_an_answer_sees_its_question_without_the_image_tag():
    assert before(DOG, 1, Context.SOURCE) == Before("What is in the picture?")
    assert before(DOG, 5, Context.SOURCE) == Before("How many cats are there?")


@pytest.mark.parametrize("index", [0, 4])
def test_what_depends_on_nothing_is_shared_between_conversations(index):
    assert before(DOG, index, Context.SOURCE) is NOTHING


def test_a_question_that_speaks_of_something_before_sees_it_and_so_does_its_answer():
    said = "User: What is in the picture?\nAssistant: A dog."
    assert before(DOG, 2, Context.SOURCE) == Before(said)
    assert before(DOG, 3, Context.SOURCE) == Before(f"{said}\nUser: What colour is it?")


@pytest.mark.parametrize(
    ("question", "depends"),
    [
        ("What are they doing?", True),
        ("Is his hat red?", True),
        ("Why?", True),
        ("What about the other one?", True),
        ("Which of those signs is nearer?", True),
        ("What is this image about?", False),
        ("If one star is removed, how many stars are left?", False),
        ("Is there a cat on the sofa?", False),
        ("What might be the reason behind the man's smile?", False),
    ],
)
def test_only_questions_whose_words_stand_for_others_see_what_was_said(question, depends):
    turns = talk("Who is there?", "A man.", question, "So.")
    assert bool(before(turns, 2, Context.SOURCE).english) is depends


def test_without_context_nothing_is_seen():
    assert {before(DOG, index, Context.NONE) for index in range(6)} == {NOTHING}


def test_a_dialogue_shows_every_turn_with_its_translation_and_leaves_out_failed_ones():
    said = ["<image>\nQu'y a-t-il ?", None, "De quelle couleur ?"]
    found = before(DOG, 3, Context.DIALOGUE, said)
    assert found.english == (
        "User: What is in the picture?\nAssistant: A dog.\nUser: What colour is it?"
    )
    assert found.shown == (
        "User: What is in the picture?\nTranslation: Qu'y a-t-il ?\nAssistant: A dog.\n"
        "User: What colour is it?\nTranslation: De quelle couleur ?"
    )
    assert before(DOG, 0, Context.DIALOGUE) is NOTHING


def test_only_the_nearest_turns_that_fit_are_seen_and_of_a_longer_one_its_end():
    long = "a" * 1_500
    turns = talk("First?", long, f"And it {long}?", "Yes.")
    assert before(turns, 3, Context.SOURCE).english == f"And it {long}?"
    endless = talk("x" * 5_000 + "z" * MAX_CONTEXT_CHARS, "Yes.")
    assert before(endless, 1, Context.SOURCE).english == "z" * MAX_CONTEXT_CHARS


def test_a_long_conversation_does_not_grow_the_context_without_bound():
    turns = talk(*["What is it?", "It is a star."] * 250)
    seen = [before(turns, index, Context.DIALOGUE, ["-"] * index) for index in (10, 499)]
    assert all(len(one.english) < 2 * MAX_CONTEXT_CHARS for one in seen)
    assert seen[1].english.startswith(("User: ", "Assistant: "))
