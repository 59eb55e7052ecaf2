import random

import pytest
import torch

from palo.tiny import tiny_llama
from train.data.template import IGNORED, IMAGE_TOKEN, Encoded
from train.scale import StandinLanguageModel
from train.standins.language import SlotEmbedder, answer_loss, train_language_model
from train.standins.text import Reader, Text, make_tokenizer, read_scenes, slots

CAPTIONS = (
    "A red circle in the top left corner, a blue star in the top right corner.",
    "A blue circle in the top right corner, a red star in the bottom right corner.",
)
ANSWERS = (("Circle.", "Cercle."), ("Star.", "Étoile."))
ROWS = [
    {
        "caption": caption,
        "questions": [
            {
                lang: [question, said[number]]
                for number, (lang, question) in enumerate(
                    (("en", f"What is {colour}?"), ("fr", f"Quoi {colour} ?"))
                )
            }
            for colour, said in zip(("red", "blue"), answers, strict=True)
        ],
        "talk": [{"en": ["What is left?", "Nothing."], "fr": ["Que reste-t-il ?", "Rien."]}],
    }
    for caption, answers in zip(CAPTIONS, (ANSWERS, ANSWERS[::-1]), strict=True)
]
SETTINGS = StandinLanguageModel(
    vocab_size=600,
    hidden_size=32,
    layers=2,
    heads=2,
    riddle_steps=1,
    english_steps=3,
    steps=5,
    batch_size=4,
    learning_rate=1e-2,
)


@pytest.fixture(scope="module")
def scenes():
    return read_scenes(ROWS)


@pytest.fixture(scope="module")
def reader(scenes):
    return Reader(scenes, make_tokenizer(scenes, 600))


def test_a_slot_is_the_sum_of_its_words_and_an_empty_one_is_nothing(scenes, reader):
    model = tiny_llama(reader.tokenizer, 32, 1, 2)
    embedder = SlotEmbedder(model, reader)
    read = [reader.english(scene, random.Random(1)) for scene in scenes]
    texts = [slots(scene.phrases, 16, random.Random(1)) for scene in scenes]
    batch = embedder.batch(read, texts)
    embeddings = batch.embeddings
    assert embeddings.shape[:2] == batch.labels.shape
    assert not batch.seen
    words = reader.tokenizer(" red circle top left", add_special_tokens=False).input_ids
    start = read[0].encoded.input_ids.index(IMAGE_TOKEN)
    place = start + texts[0].index(scenes[0].phrases[0])
    total = model.get_input_embeddings()(torch.tensor(words)).sum(0)
    torch.testing.assert_close(embeddings[0, place], total)
    empty = start + texts[0].index("")
    assert not embeddings[0, empty].any()


def test_text_around_the_slots_keeps_its_embeddings_and_labels(scenes, reader):
    model = tiny_llama(reader.tokenizer, 32, 1, 2)
    read = reader.english(scenes[0], random.Random(1))
    encoded = read.encoded
    batch = SlotEmbedder(model, reader).batch(
        [read], [slots(scenes[0].phrases, 16, random.Random(1))]
    )
    embeddings, labels = batch.embeddings, batch.labels
    place = encoded.input_ids.index(IMAGE_TOKEN)
    before, after = encoded.input_ids[:place], encoded.input_ids[place + 1 :]
    embed = model.get_input_embeddings()
    torch.testing.assert_close(embeddings[0, :place], embed(torch.tensor(before)))
    torch.testing.assert_close(embeddings[0, place + 16 :], embed(torch.tensor(after)))
    assert labels[0, place + 16 :].tolist() == list(encoded.labels[place + 1 :])
    assert (labels[0, : place + 16] == IGNORED).all()


def test_noise_is_in_every_slot_and_nowhere_else(scenes, reader):
    model = tiny_llama(reader.tokenizer, 32, 1, 2)
    read = [reader.english(scenes[0], random.Random(1))]
    filled = [slots(scenes[0].phrases, 16, random.Random(1))]
    plain = SlotEmbedder(model, reader).batch(read, filled).embeddings[0]
    noisy = SlotEmbedder(model, reader, noise=0.5, seed=1).batch(read, filled).embeddings[0]
    place = read[0].encoded.input_ids.index(IMAGE_TOKEN)
    changed = (noisy - plain).norm(dim=1)
    assert changed.nonzero().flatten().tolist() == list(range(place, place + 16))
    usual = model.get_input_embeddings().weight.norm(dim=1).mean()
    assert 0.4 < changed[place : place + 16].mean() / usual < 0.6


def test_the_loss_is_the_stock_models_on_the_same_labels(scenes, reader):
    model = tiny_llama(reader.tokenizer, 32, 1, 2)
    batch = SlotEmbedder(model, reader).batch(
        [reader.english(scene, random.Random(2)) for scene in scenes],
        [slots(scene.phrases, 16, random.Random(2)) for scene in scenes],
    )
    expected = model(inputs_embeds=batch.embeddings, labels=batch.labels).loss
    torch.testing.assert_close(answer_loss(model, batch), expected)


def test_a_riddle_among_others_reads_as_it_does_alone(scenes, reader):
    model = tiny_llama(reader.tokenizer, 32, 2, 2).eval()
    embedder = SlotEmbedder(model, reader)
    filled = [slots(scenes[0].phrases, 16, random.Random(3))]
    many = reader.riddles(scenes[0].phrases, random.Random(3))
    batch = embedder.batch([many], filled)
    hidden = model.model(inputs_embeds=batch.embeddings, **batch.seen).last_hidden_state[0]
    assert len(many.parts) > 3
    at = 2
    for size in many.parts:
        ids, labels = many.encoded.input_ids, many.encoded.labels
        alone = Encoded(ids[:2] + ids[at : at + size], labels[:2] + labels[at : at + size])
        embeddings = embedder.batch([Text(alone)], filled).embeddings
        expected = model.model(inputs_embeds=embeddings).last_hidden_state[0]
        torch.testing.assert_close(hidden[at + 15 : at + 15 + size], expected[17:])
        at += size


def test_the_same_seed_trains_the_same_model(scenes, reader):
    losses: list[float] = []

    def tick(text):
        losses.append(float(text.removeprefix("loss ")))

    one = train_language_model(SETTINGS, scenes, reader.tokenizer, tick)
    two = train_language_model(SETTINGS, scenes, reader.tokenizer, tick)
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
    assert len(losses) == 10
    assert losses[:5] == losses[5:]
