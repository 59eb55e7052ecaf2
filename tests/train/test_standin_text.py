import random

import pytest

from train.standin_text import Reader, Scene, empty_words, group_scenes, make_tokenizer, slots
from train.template import IGNORED, IMAGE_TOKEN

CAPTION = (
    "A big red circle in the top left corner, a small red star in the top right corner, "
    "an orange star in the bottom right corner."
)
ROWS = [
    {"caption": CAPTION, "lang": "en", "question": "What colour is the circle?", "answer": "Red."},
    {"caption": CAPTION, "lang": "fr", "question": "Combien d'étoiles ?", "answer": "Deux."},
    {
        "caption": CAPTION,
        "lang": "fr",
        "question": "Que voit-on ?",
        "answer": "Un grand cercle rouge.",
        "kind": "retelling",
    },
]


@pytest.fixture
def scene():
    return group_scenes(ROWS)[0]


@pytest.fixture
def reader(scene):
    return Reader([scene], make_tokenizer([scene], 600))


def text(reader, encoded, labels=False):
    ids = encoded.labels if labels else encoded.input_ids
    return reader.tokenizer.decode([token for token in ids if token >= 0])


def test_rows_of_one_caption_become_one_scene(scene):
    assert scene.questions == (
        ("What colour is the circle?", "Red."),
        ("Combien d'étoiles ?", "Deux."),
    )
    assert scene.retellings == (("Que voit-on ?", "Un grand cercle rouge."),)
    assert scene.phrases[1] == "a small red star in the top right corner"


def test_words_that_every_phrase_has_are_left_out(scene, reader):
    assert empty_words([scene]) == {"a", "an", "in", "the", "corner"}
    assert reader.words(scene.phrases[2]) == " orange star bottom right"


@pytest.mark.parametrize("seed", range(20))
def test_phrases_keep_their_order_and_their_quarter_of_the_grid(scene, seed):
    filled = slots(scene, 16, random.Random(seed))
    assert [phrase for phrase in filled if phrase] == list(scene.phrases)
    rows_and_columns = [divmod(place, 4) for place, phrase in enumerate(filled) if phrase]
    quarters = [(row // 2, column // 2) for row, column in rows_and_columns]
    assert quarters == [(0, 0), (0, 1), (1, 1)]


def test_more_phrases_than_a_quarter_holds_are_still_all_placed():
    crowded = Scene(", ".join(["a dot in the top left corner"] * 6) + ".", (), ())
    filled = slots(crowded, 16, random.Random(1))
    assert sum(bool(phrase) for phrase in filled) == 6


def solved(riddle, phrases):
    """Whether the answer follows from the phrases; comparing has its own test."""
    if "#" in riddle:
        clues, count = riddle.split("#")
        return int(count) == sum(set(clues.split()) <= phrase for phrase in phrases)
    clues, rest = (set(part.split()) for part in riddle.split(":"))
    return "/" in riddle or (clues | rest in phrases and not clues & rest)


def riddles_in(reader, encoded):
    assert encoded.input_ids[1] == IMAGE_TOKEN
    return text(reader, encoded).removeprefix("<s>").strip(" ;").split(";")


def test_every_riddle_in_the_captions_words_has_the_answer_that_the_description_gives(
    scene, reader
):
    phrases = [set(reader.words(phrase).split()) for phrase in scene.phrases]
    for seed in range(50):
        encoded = reader.caption_riddles(scene, random.Random(seed))
        assert all(solved(riddle, phrases) for riddle in riddles_in(reader, encoded))


def test_riddles_complete_the_sentences_of_every_retelling():
    told = "Le cercle rouge est en haut. L'étoile bleue est en bas."
    caption = "A red circle in the top left corner, a blue star in the bottom left corner."
    rows = [
        {"caption": caption, "question": "Quoi ?", "answer": told, "kind": "retelling"},
        {"caption": caption, "question": "Combien ?", "answer": "Deux."},
    ]
    scenes = group_scenes(rows)
    reader = Reader(scenes, make_tokenizer(scenes, 700))
    seen = set()
    for seed in range(200):
        seen |= set(riddles_in(reader, reader.riddles(scenes[0], random.Random(seed))))
    assert any("rouge" in riddle and "cercle" in riddle for riddle in seen)
    assert not any("est" in riddle.split() for riddle in seen)
    assert not any("rouge" in riddle and "bleue" in riddle for riddle in seen)


def test_clues_that_fit_different_phrases_are_not_completed(reader):
    phrases = [[1, 2, 3], [1, 5, 6]]
    for seed in range(100):
        made = reader._completing(phrases, random.Random(seed))
        assert made is None or 1 not in made[0] or len(made[0]) > 2


def test_comparing_tells_left_and_top_of_two_singled_out_phrases(reader):
    def tokens(words):
        return reader.tokenizer(f" {words}", add_special_tokens=False).input_ids

    phrases = [tokens("circle top left"), tokens("star bottom left")]
    made = [reader._comparing(phrases, random.Random(seed)) for seed in range(2000)]
    decode = reader.tokenizer.decode
    told = {(decode(pair[0]), decode(pair[1])) for pair in made if pair}
    assert (" circle / star:", " same yes") in told
    assert (" star / circle:", " same no") in told
    assert (" circle / circle:", " same same") in told


def test_bare_questions_learn_their_answers_and_the_ends_only(scene, reader):
    encoded = reader.questions(scene, random.Random(1))
    learned = text(reader, encoded, labels=True)
    assert learned in (" Red.</s> Deux.</s>", " Deux.</s> Red.</s>")
    assert encoded.labels[:3] == (IGNORED,) * 3


def test_retellings_and_bare_captions_take_turns(scene, reader):
    told = {text(reader, reader.retelling(scene, random.Random(seed)), True) for seed in range(20)}
    assert told == {f"{CAPTION}\n", " Un grand cercle rouge.</s>"}


def test_a_conversation_is_in_the_template_of_stage_2(scene, reader):
    said = text(reader, reader.conversation(scene, random.Random(1)))
    assert said.startswith("<s>A chat between a curious user")
    assert said.count("ASSISTANT: ") == 2


def test_the_system_sentence_takes_few_tokens(reader):
    assert len(reader.template.prompt("", has_image=True)) < 45
