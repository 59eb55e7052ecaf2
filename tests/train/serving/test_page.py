"""The page in a headless Chromium, over a real tiny checkpoint: clicks in, streamed words out."""

import json
import socket
import threading
import urllib.request

import pytest
from PIL import Image

from palo.languages import LANGUAGES
from tests.train.serving.conftest import ListeningBrowser
from train.serving.chat import End, Sampling, phrases
from train.serving.server import Address, require_gradio

pytest.importorskip("gradio", reason="Gradio is not installed")
pytestmark = pytest.mark.slow

BOT = "[...document.querySelectorAll('#chat .bot.message .message-content')].at(-1)?.textContent"
USER = "[...document.querySelectorAll('#chat .user.message .message-content')].at(-1)?.textContent"


@pytest.fixture(scope="module")
def gradio_page():
    """The module, which imports Gradio."""
    require_gradio()
    from train.serving import page

    return page


@pytest.fixture
def address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", free.getsockname()[1])


@pytest.fixture
def examples(gradio_page, world):
    return gradio_page.load_examples(world.evaluate)


@pytest.fixture
def page(gradio_page, talker, examples, address, chromium, tmp_path):
    """The open page, its answers limited to 600 tokens."""
    shown = gradio_page.Page(talker, Sampling(max_new_tokens=600), examples, "PALO 7b", True)
    shown.launch(address)
    browser = ListeningBrowser(chromium, tmp_path / "chromium")
    browser.go(address.url)
    browser.wait("document.querySelectorAll('#examples button img').length === 2", 90)
    browser.eval("new Promise(done => setTimeout(done, 1500))")  # until it listens to clicks
    try:
        yield browser
    finally:
        browser.close()
        shown.blocks.close(verbose=False)


def wait_for_words(page):
    page.wait(f"({BOT} ?? '').length > 0", 60)


def stop(page):
    page.click("#stop:enabled")
    page.wait(
        "document.querySelector('#stop').disabled && !document.querySelector('#send').disabled", 60
    )


def test_a_conversation_on_the_page(page, examples, picture, tmp_path):
    # the ten languages, in their own words
    labels = "[...document.querySelectorAll('#languages label')].map(one => one.innerText.trim())"
    assert page.eval(labels) == [row.native_name for row in LANGUAGES.values()]
    assert "tiny twin" in page.eval("document.querySelector('#title').innerText")
    # an example: its picture, its questions; asked by a click, answered word by word, stopped
    page.click("#examples .grid-container > :nth-child(1) button")
    page.wait("document.querySelector('#picture img')?.naturalWidth > 0")
    page.click("#questions button")
    wait_for_words(page)
    assert page.eval(USER) == examples[0].questions["en"][0]
    early = page.eval(BOT)
    page.wait(f"({BOT}).length > {len(early)}")  # it grows
    stop(page)
    page.wait("document.querySelector('#status').innerText.includes('Stopped.')")
    # Urdu: direction, hint, buttons and questions
    page.click("#languages input[value=ur]")
    page.wait("document.querySelector('#question textarea').dir === 'rtl'")
    page.wait("document.querySelector('#chat [data-testid=bot]').dir === 'rtl'")
    words = phrases()["ur"]
    assert page.eval("document.querySelector('#question textarea').placeholder") == words["ask"]
    assert page.eval("document.querySelector('#stop').innerText.trim()") == words["stop"]
    page.wait(
        f"document.querySelector('#questions').innerText.includes({examples[0].questions['ur'][0]!r})"
    )
    # a picture of one's own: a new conversation without example questions; typed, with Enter
    Image.new("RGB", (70, 50), (20, 90, 200)).save(tmp_path / "own.png")
    page.click("#picture button[aria-label='Clear'], #picture button[aria-label='Remove Image']")
    page.wait("document.querySelectorAll('#chat .message').length === 0")
    page.wait("document.querySelector('#picture input[type=file]') !== null")
    page.upload("#picture input[type=file]", tmp_path / "own.png")
    page.wait("document.querySelector('#picture img')?.naturalWidth === 70")
    assert page.eval("document.querySelectorAll('#questions button').length") == 0
    page.click("#question textarea")
    evil = "![x](http://example.com/a.png) <img src=http://example.com/b.png> یہ کیا ہے؟"
    page.insert(evil)
    page.enter()
    wait_for_words(page)
    stop(page)
    assert page.eval(USER) == evil
    assert page.eval("document.querySelectorAll('#chat .message img').length") == 0
    # begin again, while an answer comes too
    page.click("#new")
    page.wait("document.querySelectorAll('#chat .message').length === 0")
    assert page.hosts() == {"127.0.0.1"}
    assert [one for one in page.logged if "exceptionDetails" in one] == []


def test_nothing_is_offered_to_programs_and_nothing_else_is_read_from_the_disk(
    gradio_page, talker, examples, address, world
):
    shown = gradio_page.Page(talker, Sampling(), examples, "PALO 7b", False)
    shown.launch(address)
    try:
        with urllib.request.urlopen(f"{address.url}/gradio_api/info", timeout=30) as answer:
            assert json.load(answer)["named_endpoints"] == {}
        secret = world.data_dir / "world" / "truth.jsonl"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address.url}/gradio_api/file={secret}", timeout=30)
        assert refused.value.code in (403, 404)
        assert shown.blocks.share_url is None
    finally:
        shown.blocks.close(verbose=False)


def test_a_tab_s_rounds_are_the_answered_ones_of_its_chat(gradio_page):
    history = [
        {"role": "user", "content": [{"type": "text", "text": "Who?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A man."}]},
        {"role": "user", "content": "Where?"},
        {"role": "user", "content": "So?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "Then?"},
        {"role": "assistant", "content": ""},
    ]
    assert gradio_page.rounds_of(history) == [("Who?", "A man."), ("So?", "Yes.")]
    assert gradio_page.text_of({"file": "x"}) == ""
    evil = "a < b &amp; <img src=x> 'c'"
    assert (
        gradio_page.text_of(
            [{"type": "text", "text": gradio_page.message("user", evil)["content"]}]
        )
        == evil
    )


def test_an_answer_is_stopped_from_another_thread_and_one_given_up_says_no_more(
    gradio_page, talker, picture
):
    answers = gradio_page.Answers(talker, Sampling(max_new_tokens=600))
    stream = answers.stream("tab", "What?", [], str(picture))
    next(stream)
    answers.stop("other tab")
    thread = threading.Thread(target=answers.stop, args=("tab",))
    thread.start()
    thread.join()
    *_, (text, reply) = stream
    assert (reply.end, reply.text) == (End.STOPPED, text)
    stream = answers.stream("tab", "What?", [], None)
    next(stream)
    answers.stop("tab", unseen=True)
    assert [reply for _, reply in stream if reply is not None] == []
    assert not talker.busy.locked() and answers.running == {}


def test_examples_are_held_out_pictures_with_questions_in_ten_languages(examples):
    assert len(examples) == 2
    for one in examples:
        assert one.image.is_file()
        assert {*one.questions} == {*LANGUAGES}
        assert {len(texts) for texts in one.questions.values()} == {4}
        assert len({*one.kinds}) == 4
