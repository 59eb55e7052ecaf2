import random

import pytest

from sceneworld.standins.text import (
    DescribedScene,
    Reader,
    empty_words,
    make_tokenizer,
    read_scenes,
    slots,
)
from train.data.template import IGNORED, IMAGE_TOKEN

CAPTION = (
    "A big red circle in the top left corner, a small red star in the top right corner, "
    "an orange star in the bottom right corner."
)
ROWS = [
    {
        "caption": CAPTION,
        "questions": [
            {"en": ["What colour is the circle?", "Red."], "fr": ["De quelle couleur ?", "Rouge."]},
            {"en": ["How many stars?", "Two."], "fr": ["Combien d'étoiles ?", "Deux."]},
        ],
        "talk": [{"en": ["What is left?", "Nothing."], "fr": ["Que reste-t-il ?", "Rien."]}],
    },
    {"caption": "A dot in the top left corner.", "questions": [], "talk": []},
]


@pytest.fixture
def scene():
    return read_scenes(ROWS)[0]


@pytest.fixture
def reader(scene):
    return Reader([scene], make_tokenizer([scene], 600))


def text(reader, one, labels=False):
    encoded = one.encoded
    ids = encoded.labels if labels else encoded.input_ids
    return reader.tokenizer.decode([token for token in ids if token >= 0])


def test_scenes_are_read_and_those_that_ask_nothing_are_left_out(scene):
    assert len(read_scenes(ROWS)) == 1
    assert scene.questions[1] == {
        "en": ["How many stars?", "Two."],
        "fr": ["Combien d'étoiles ?", "Deux."],
    }
    assert scene.phrases[1] == "a small red star in the top right corner"
    assert scene.is_parallel
    assert not DescribedScene(CAPTION, ({"en": ("What?", "Red.")},)).is_parallel


def test_words_that_every_phrase_has_are_left_out(scene, reader):
    assert empty_words([scene]) == {"a", "an", "in", "the", "corner"}
    assert reader.words(scene.phrases[2]) == " orange star bottom right"


@pytest.mark.parametrize("seed", range(20))
def test_phrases_keep_their_order_among_empty_slots(scene, seed):
    filled = slots(scene.phrases, 16, random.Random(seed))
    assert len(filled) == 16
    assert [phrase for phrase in filled if phrase] == list(scene.phrases)


def riddles_in(reader, one):
    assert one.encoded.input_ids[1] == IMAGE_TOKEN
    return text(reader, one).removeprefix("<s>").strip(" ;").split(";")


def test_every_riddle_has_the_one_answer_that_the_description_gives(scene, reader):
    phrases = [set(reader.words(phrase).split()) for phrase in scene.phrases]
    made, told = set(), set()
    for seed in range(50):
        for riddle in riddles_in(reader, reader.riddles(scene.phrases, random.Random(seed))):
            if "#" in riddle:
                clues, count = riddle.split("#")
                assert int(count) == sum(set(clues.split()) <= phrase for phrase in phrases)
                told.add(int(count))
                continue
            clues, rest = (set(part.split()) for part in riddle.split(":"))
            assert clues and rest and not clues & rest
            assert [phrase for phrase in phrases if clues <= phrase] == [clues | rest]
            made.add(frozenset(clues))
    assert {frozenset({"circle"}), frozenset({"star", "red"})} <= made
    assert frozenset({"star"}) not in made  # two stars: no riddle
    assert {1, 2} <= told


def test_a_riddle_is_learned_from_its_answer_on(scene, reader):
    made = reader.riddles(scene.phrases, random.Random(1))
    encoded = made.encoded
    assert sum(made.parts) == len(encoded.input_ids) - 2
    marks = (*reader.asks, reader.counts[-1])
    asked = [index for index, token in enumerate(encoded.input_ids) if token in marks]
    assert asked
    for index in asked:
        assert encoded.labels[index] == IGNORED
        assert encoded.labels[index + 1] == encoded.input_ids[index + 1]


def test_a_conversation_asks_everything_in_the_template_of_stage_2(scene, reader):
    made = reader.english(scene, random.Random(1))
    said = text(reader, made)
    assert said.startswith("<s>A chat between a curious user")
    assert said.count("ASSISTANT: ") == 2
    learned = text(reader, made, labels=True).split("</s>")
    assert {part.strip() for part in learned if part} == {"Red.", "Two."}


def test_half_of_the_english_questions_have_their_words_in_another_order(scene, reader):
    as_asked, asked = 0, []
    for seed in range(100):
        said = text(reader, reader.english(scene, random.Random(seed)))
        question = said.split("colour")[0].rpartition("USER:")[2] + said.partition("colour")[2]
        asked.append(sorted(question.partition("?")[0].split()))
        as_asked += "What colour is the circle? ASSISTANT: Red." in said
    assert all(words == sorted(["What", "is", "the", "circle"]) for words in asked)
    assert 40 < as_asked < 70


def test_a_conversation_mixes_the_languages_of_its_questions(scene, reader):
    learned = set()
    for seed in range(20):
        made = reader.conversation(scene, random.Random(seed))
        assert "What colour is the circle?" in text(reader, made) or "Rouge." in text(reader, made)
        learned |= {part.strip() for part in text(reader, made, labels=True).split("</s>")}
    assert learned == {"Red.", "Two.", "Rouge.", "Deux.", ""}


def test_talk_has_rounds_of_its_own(scene, reader):
    made = {
        text(reader, reader.talk(scene, random.Random(seed)), labels=True) for seed in range(20)
    }
    assert made == {" Nothing.</s>", " Rien.</s>"}


def test_a_caption_is_in_the_form_of_stage_1(scene, reader):
    assert text(reader, reader.caption(scene), labels=True) == f"{CAPTION}\n"


def test_the_system_sentence_takes_few_tokens(reader):
    assert len(reader.template.prompt("", has_image=True)) < 45
