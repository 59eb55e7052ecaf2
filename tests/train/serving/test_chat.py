import threading

import pytest
import torch
from PIL import Image

from palo.errors import UserError
from tests.train.serving.conftest import adapt, build, make_talkative
from train.data.images import pixel_values
from train.model.checkpoint import save_checkpoint
from train.serving.chat import Conversation, End, Sampling, Talker

SHORT = Sampling(max_new_tokens=12)
LONG = Sampling(max_new_tokens=400)


@pytest.fixture
def red(tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (90, 40), (200, 30, 30)).save(path)
    return path


def say(talker, conversation, question, sampling=SHORT):
    answering = talker.ask(conversation, question, sampling)
    return list(answering), answering.reply


@torch.inference_mode()
def written(talker, ids, picture, sampling):
    """What generate gives for the ids without a streamer, decoded at once."""
    pixels = pixel_values([Image.open(picture)], talker.processor)
    place = ids.index(-200)
    ids = [*ids[:place], *[talker.model.config.image_token_id] * 16, *ids[place + 1 :]]
    whole = talker.model.generate(
        input_ids=torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        pixel_values=pixels,
        max_new_tokens=sampling.max_new_tokens,
        do_sample=False,
        pad_token_id=0,
    )
    return talker.tokenizer.decode(whole[0, len(ids) :], skip_special_tokens=True).strip()


def test_two_rounds_about_a_picture_are_what_generate_gives_for_trainings_prompts(talker, red):
    conversation = talker.look_at(red)
    pieces, reply = say(talker, conversation, " What is it? ")
    first = talker.template.prompt("What is it?", True)
    assert reply.text == "".join(pieces).rstrip() == written(talker, list(first), red, SHORT)
    assert len(pieces) > 1 and reply.end is End.LENGTH and reply.num_tokens == 12
    _, second = say(talker, conversation, "A circle?")
    from train.data.template import Round

    before = [Round("What is it?", reply.text, True)]
    ids = talker.template.prompt("A circle?", False, before)
    assert second.text == written(talker, list(ids), red, SHORT)
    assert conversation.rounds == [("What is it?", reply.text), ("A circle?", second.text)]


def test_a_stopped_answer_stays_as_far_as_it_came(talker, red):
    conversation = talker.look_at(red)
    answering = talker.ask(conversation, "What?", LONG)
    pieces = []
    for piece in answering:
        pieces.append(piece)
        if len(pieces) == 3:
            answering.stop()
    assert answering.reply.end is End.STOPPED
    assert 3 <= answering.reply.num_tokens < 400
    assert conversation.rounds == [("What?", "".join(pieces).rstrip())]


def test_an_answer_nobody_reads_to_its_end_stops_and_frees_the_model(talker):
    conversation = Conversation()
    pieces = iter(talker.ask(conversation, "What?", LONG))
    first = next(pieces)
    pieces.close()
    assert not talker.busy.locked()
    assert conversation.rounds[0][1].startswith(first.rstrip())
    assert not [one for one in threading.enumerate() if one.name == "answer"]


def test_the_end_token_ends_an_answer(checkpoint):
    talker = Talker(checkpoint, 2000)
    answering = talker.ask(Conversation(), "What?", SHORT)
    list(answering)
    ids = answering._streamer.ids
    talker.tokenizer.eos_token = talker.tokenizer.convert_ids_to_tokens(ids[4])
    _, reply = say(talker, Conversation(), "What?")
    assert (reply.end, reply.num_tokens) == (End.DONE, ids.index(ids[4]) + 1)


def test_a_round_without_an_answer_is_none(talker, monkeypatch):
    end = torch.tensor([[talker.tokenizer.eos_token_id]])
    monkeypatch.setattr("train.serving.chat.Answering._written", lambda answering: end)
    conversation = Conversation()
    assert say(talker, conversation, "Who?")[1].text == ""
    assert conversation.rounds == []


def test_a_seed_decides_what_a_temperature_draws(talker):
    def drawn(seed, top_p=1.0):
        return say(talker, Conversation(), "What?", Sampling(3.0, top_p, seed, 12))[1].text

    assert drawn(1) == drawn(1) != drawn(2)
    assert drawn(1, 0.01) == drawn(2, 0.01) == say(talker, Conversation(), "What?")[1].text


def test_early_rounds_fall_away_once_and_are_forgotten(checkpoint, red):
    talker = Talker(checkpoint, 260)
    conversation = talker.look_at(red)
    conversation.rounds = [("What is it?" * 4, "A red circle." * 4)] * 3
    _, reply = say(talker, conversation, "What?")
    assert reply.rounds_dropped == 3 - (len(conversation.rounds) - 1) > 0
    with pytest.raises(UserError, match="too long"):
        talker.ask(conversation, "What? " * 200, SHORT)


def test_a_mistake_while_answering_is_raised_where_the_answer_is_read(talker):
    conversation = Conversation(torch.zeros(3, 1, 1))
    with pytest.raises(ValueError, match="size"):
        list(talker.ask(conversation, "What?", SHORT))
    assert not talker.busy.locked()


def test_a_file_that_is_no_picture_is_a_users_mistake(talker, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"nothing")
    with pytest.raises(UserError, match=f"^Cannot read image {path}: it is empty or no image$"):
        talker.look_at(path)


def test_base_and_adapter_say_what_the_merged_model_does(tmp_path, red):
    model, tokenizer, processor = build("13b", 64, 16, 0)
    adapted = adapt(model, 4, 0)
    save_checkpoint(tmp_path / "parts", model, tokenizer, processor, adapted=adapted)
    model.model.language_model = adapted.merge_and_unload()
    save_checkpoint(tmp_path / "merged", model, tokenizer, processor)
    said = []
    for folder in ("parts", "merged"):
        talker = Talker(tmp_path / folder, 600)
        said.append(say(talker, talker.look_at(red), "What is it?")[1].text)
    assert said[0] == said[1] != ""


def test_the_1_7b_twin_talks_too(tmp_path, red):
    scale, model, tokenizer = make_talkative("1.7b")
    from train.data.images import make_processor

    save_checkpoint(tmp_path / "1.7b", model, tokenizer, make_processor(scale.image_size))
    talker = Talker(tmp_path / "1.7b", 600)
    assert talker.packer.image_tokens == 4
    assert say(talker, talker.look_at(red), "What is it?")[1].text
