import random

import pytest
import torch

from sceneworld.standins.language import ATTENTION, SlotEmbedder, answer_loss, train_language_model
from sceneworld.standins.text import Reader, Text, make_tokenizer, read_scenes, slots
from sceneworld.standins.tiny import tiny_llama
from train.data.template import IGNORED, IMAGE_TOKEN, Encoded
from train.scale import StandinLanguageModel

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


def positions_of(text):
    """Where a text's slots begin in a row that it begins, and its tokens before and after them."""
    ids = text.encoded.input_ids
    place = ids.index(IMAGE_TOKEN)
    return place, ids[:place], ids[place + 1 :]


def test_a_slot_is_the_sum_of_its_words_and_an_empty_one_is_nothing(scenes, reader):
    model = tiny_llama(reader.tokenizer, 32, 1, 2)
    read = [reader.english(scene, random.Random(1)) for scene in scenes]
    texts = [slots(scene.phrases, 16, random.Random(1)) for scene in scenes]
    embeddings = SlotEmbedder(model, reader).batch(read, texts).embeddings[0]
    words = reader.tokenizer(" red circle top left", add_special_tokens=False).input_ids
    start, _, _ = positions_of(read[0])
    total = model.get_input_embeddings()(torch.tensor(words)).sum(0)
    torch.testing.assert_close(embeddings[start + texts[0].index(scenes[0].phrases[0])], total)
    assert not embeddings[start + texts[0].index("")].any()


def test_a_row_has_what_is_before_the_slots_once_and_no_padding(scenes, reader):
    model = tiny_llama(reader.tokenizer, 32, 1, 2)
    read = [reader.english(scene, random.Random(1)) for scene in scenes]
    filled = [slots(scene.phrases, 16, random.Random(1)) for scene in scenes]
    batch = SlotEmbedder(model, reader).batch(read, filled)
    (start, head, one), (_, same_head, other) = (positions_of(text) for text in read)
    assert head == same_head
    assert batch.embeddings.shape[1] == start + 16 + len(one) + 16 + len(other)
    embed = model.get_input_embeddings()
    row = batch.embeddings[0]
    torch.testing.assert_close(row[:start], embed(torch.tensor(head)))
    torch.testing.assert_close(row[start + 16 :][: len(one)], embed(torch.tensor(one)))
    torch.testing.assert_close(row[-len(other) :], embed(torch.tensor(other)))
    labels = [label for text in read for label in text.encoded.labels if label != IGNORED]
    assert batch.targets.tolist() == labels


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


def test_the_loss_is_the_stock_models_on_each_text_by_itself(scenes, reader):
    model = tiny_llama(reader.tokenizer, 32, 2, 2)
    embedder = SlotEmbedder(model, reader)
    read = [reader.english(scene, random.Random(2)) for scene in scenes]
    filled = [slots(scene.phrases, 16, random.Random(2)) for scene in scenes]
    total, count = 0.0, 0
    for text, phrases in zip(read, filled, strict=True):
        embeddings = embedder.batch([text], [phrases]).embeddings
        place, _, _ = positions_of(text)
        labels = text.encoded.labels
        labels = torch.tensor([*labels[:place], *[IGNORED] * 16, *labels[place + 1 :]])[None]
        learned = int((labels[:, 1:] != IGNORED).sum())
        total += model(inputs_embeds=embeddings, labels=labels).loss * learned
        count += learned
    model.set_attn_implementation(ATTENTION)
    torch.testing.assert_close(answer_loss(model, embedder.batch(read, filled)), total / count)


def test_a_riddle_among_others_is_learned_from_as_it_is_alone(scenes, reader):
    model = tiny_llama(reader.tokenizer, 32, 2, 2).eval()
    embedder = SlotEmbedder(model, reader)
    filled = [slots(scenes[0].phrases, 16, random.Random(3))]
    many = reader.riddles(scenes[0].phrases, random.Random(3))
    ids, labels = many.encoded.input_ids, many.encoded.labels
    assert len(many.parts) > 3
    model.set_attn_implementation(ATTENTION)
    total, count, at = 0.0, 0, 2
    for size in many.parts:
        alone = Encoded(ids[:2] + ids[at : at + size], labels[:2] + labels[at : at + size])
        batch = embedder.batch([Text(alone)], filled)
        total += answer_loss(model, batch) * len(batch.targets)
        count += len(batch.targets)
        at += size
    torch.testing.assert_close(answer_loss(model, embedder.batch([many], filled)), total / count)


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


def test_words_of_other_languages_lie_beside_the_english_ones(scenes, reader):
    tokens = [reader.tokens(word) for word in (" Cercle", " Circle")]
    assert [len(token) for token in tokens] == [1, 1]
    trained = train_language_model(SETTINGS, scenes, reader.tokenizer, lambda text: None)
    untrained = tiny_llama(reader.tokenizer, 32, 2, 2, seed=SETTINGS.seed)

    def likeness(model):
        cercle, circle = model.get_input_embeddings().weight.detach()[[tokens[0][0], tokens[1][0]]]
        return torch.cosine_similarity(cercle, circle, dim=0).item()

    assert likeness(trained) > 0.6 > likeness(untrained)
