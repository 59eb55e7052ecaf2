"""`palo chat`, in this process, through a pipe and on a terminal of its own."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from palo import cli
from palo.cli import guarded
from train.serving.chat import Conversation, Sampling, printable

CHAT = ["chat", "--scale", "7b"]
SHORT = ["--max-new-tokens", "8"]


def run(capsys, *words):
    code = guarded(lambda: cli.app(args=[*words]))
    return (code, *capsys.readouterr())


def expected(talker, image, *questions):
    conversation = talker.look_at(image) if image else Conversation()
    replies = []
    for question in questions:
        answering = talker.ask(conversation, question, Sampling(max_new_tokens=8))
        list(answering)
        replies.append(printable(answering.reply.text))
    return replies


def test_ask_prints_the_answer_and_nothing_else(world, picture, talker, capsys):
    code, out, _ = run(capsys, *CHAT, *SHORT, "--image", str(picture), "--ask", "What is it?")
    assert (code, out.rstrip()) == (0, expected(talker, picture, "What is it?")[0])


def test_a_pipe_holds_a_conversation_and_mistakes_do_not_end_it(world, picture, talker, tmp_path):
    lines = ["What is it?", "/bogus", "", "/image nowhere.png", "कितने?", "/new", "A circle?"]
    done = subprocess.run(
        [sys.executable, "-m", "palo", *CHAT, *SHORT, "--image", str(picture)],
        input="\n".join(lines), capture_output=True, text=True,
    )  # fmt: skip
    two = expected(talker, picture, "What is it?", "कितने?")
    answers = [*two, *expected(talker, picture, "A circle?")]
    printed = [line.rstrip() for line in done.stdout.split("\n")]
    assert (done.returncode, printed) == (0, "\n".join([*answers, ""]).split("\n"))
    assert "[Unknown command /bogus. /help lists them.]" in done.stderr
    assert "[No image nowhere.png]" in done.stderr
    assert "[A new conversation.]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scale", "7c"], "Unknown scale '7c'. Did you mean '7b'? "),
        (["--scale", "13b"], "No checkpoint in "),
        (["--scale", "7b", "--checkpoint", "nowhere"], "No checkpoint in nowhere: "),
        (["--scale", "7b", "--image", "nowhere.jpg"], "No image nowhere.jpg.\n"),
        (["--scale", "7b", "--image", "pipelines.yaml", "--ask", "x"], "Cannot read image "),
        (["--scale", "7b", "--lang", "urd"], "Unknown language 'urd'. Did you mean 'ur'? "),
        (["--scale", "7b", "--ask", " "], "The question is empty: "),
        (["--scale", "7b", "--ask", "What? " * 900], "The question is too long: "),
    ],
)
def test_a_users_mistake_is_a_sentence_and_2(world, capsys, monkeypatch, words, message):
    monkeypatch.chdir(world.data_dir.parent.parent)
    code, out, error = run(capsys, "chat", *words)
    assert (code, out, error[: len(message)]) == (2, "", message)
    assert error.count("\n") == 1


def test_an_answer_in_another_language_is_remarked(world, capsys, monkeypatch):
    monkeypatch.setattr("train.serving.chat.Answering._written", _english)
    code, out, error = run(capsys, *CHAT, "--lang", "ur", "--ask", "یہ کیا ہے؟")
    assert (code, out) == (0, "What is it\n")
    assert "[That is not Urdu, it seems: ask in اردو.]" in error


def _english(answering):
    import torch

    tokenizer = answering.talker.tokenizer
    ids = tokenizer("What is it", add_special_tokens=False, return_tensors="pt").input_ids
    answering._streamer.put(ids)
    for token in ids[0]:
        answering._streamer.put(token[None])
    return torch.tensor([[tokenizer.eos_token_id]])


def test_a_model_does_not_command_the_terminal():
    assert printable("a\x1b[2Jb\r\x07\n\tc\x9b1m") == "a[2Jb\n\tc1m"
    assert printable("हिन्दी می‌خواهम") == "हिन्दी می‌خواهम"


class Terminal:
    """A program on a pseudo-terminal; what it printed is in `seen`."""

    def __init__(self, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "palo", *words])
        self.seen = ""

    def until(self, pattern, timeout_s=90):
        deadline = time.monotonic() + timeout_s
        while not re.search(pattern, self.seen):
            left = max(0, deadline - time.monotonic())
            assert select.select([self.fd], [], [], left)[0], f"no {pattern!r} in {self.seen!r}"
            try:
                self.seen += os.read(self.fd, 4096).decode("utf-8", "replace")
            except OSError:  # the program has closed it
                assert re.search(pattern, self.seen), self.seen
        self.seen = self.seen[re.search(pattern, self.seen).end() :]

    def interrupt_until(self, pattern):
        """Ctrl-C again and again, as one does: before the prompt reads, it is lost."""
        for _ in range(30):
            os.kill(self.pid, signal.SIGINT)
            try:
                self.until(pattern, timeout_s=3)
            except AssertionError:
                continue
            return
        raise AssertionError(f"no {pattern!r} in {self.seen!r}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def exit_code(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_ctrl_c_stops_the_answer_and_not_the_program_and_ctrl_d_leaves(world, picture):
    terminal = Terminal(*CHAT, "--image", str(picture), "--max-new-tokens", "1800", "--lang", "ja")
    terminal.until("日本語: 画像について質問してください")
    terminal.until("> ")
    terminal.type("What is it?\r")
    terminal.until(r"What is it\?\s+\S+")
    os.kill(terminal.pid, signal.SIGINT)
    terminal.until(r"\[Stopped\.\]")
    terminal.until("> ")
    terminal.interrupt_until("Ctrl-D or /quit leaves")  # with no answer on its way
    terminal.until("> ")
    terminal.type("/help\r")
    terminal.until("/image PATH")
    terminal.until("> ")
    terminal.type("\x04")
    assert terminal.exit_code() == 0


def test_ctrl_c_in_one_shot_ends_the_program(world):
    process = subprocess.Popen(
        [sys.executable, "-m", "palo", *CHAT, "--max-new-tokens", "1800", "--ask", "What?"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Traceback" not in error
