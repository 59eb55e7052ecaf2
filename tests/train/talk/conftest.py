"""A checkpoint that talks at length, a micro world with it, a Chromium that tells its requests."""

import shutil
import time
from urllib.parse import urlsplit

import pytest
import torch

from tests.refine.serve.conftest import Browser
from tests.train.conftest import ROOT, make_model, make_scale, make_tokenizer
from train.data.images import make_processor
from train.model.checkpoint import save_checkpoint
from train.talk.talker import Talker


def make_talkative(name="7b"):
    """Random weights, large enough that one token follows another in no simple pattern."""
    scale, tokenizer = make_scale(name), make_tokenizer()
    model = make_model(scale, tokenizer)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(3)
    return scale, model.eval(), tokenizer


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talk") / "7b"
    scale, model, tokenizer = make_talkative()
    save_checkpoint(folder, model, tokenizer, make_processor(scale.image_size))
    return folder


@pytest.fixture(scope="session")
def talker(checkpoint):
    return Talker(checkpoint, 2000)


@pytest.fixture
def world(profile, checkpoint, monkeypatch):
    """The sample profile over the micro world, with the checkpoint in its place."""
    root = profile.data_dir.parent.parent
    monkeypatch.setenv("PALO_CONFIG", str(root / "pipelines.yaml"))
    text = (root / "pipelines.yaml").read_text("utf-8")
    scales = root / "scales"
    shutil.copytree(ROOT / "train/scales/sample", scales)
    scale = (scales / "7b.yaml").read_text("utf-8")  # answers long enough to be stopped
    scale = scale.replace("max_length: 512", "max_length: 2000")
    (scales / "7b.yaml").write_text(scale.replace("row_tokens: 1024", "row_tokens: 2048"), "utf-8")
    text = text.replace("scales_dir: train/scales/sample", f"scales_dir: {scales}")
    (root / "pipelines.yaml").write_text(text, "utf-8")
    shutil.copytree(checkpoint, profile.paths.checkpoint("7b"))
    return profile


@pytest.fixture
def picture(world):
    return next((world.evaluate.images_dir / "evaluation").glob("*.jpg"))


class ListeningBrowser(Browser):
    """Also keeps the address of every request."""

    def __init__(self, program, folder, dark=False):
        self.requests = []
        super().__init__(program, folder, dark)
        self.call("Network.enable")
        self.call("DOM.enable")

    def _next(self):
        message = super()._next()
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        return message

    def hosts(self):
        """Of all requests but those for data that the page holds itself."""
        parts = [urlsplit(url) for url in self.requests]
        return {part.hostname for part in parts if part.scheme not in ("data", "blob", "about")}

    def go(self, url):
        self.call("Page.navigate", {"url": url})

    def click(self, selector):
        """A real click in the middle of the first that fits, once it is there and lies still."""
        self.wait(f"document.querySelector({selector!r}) !== null")
        place = None
        while place is None or place != self._middle(selector):
            place = self._middle(selector)
            time.sleep(0.15)
        for kind in ("mousePressed", "mouseReleased"):
            where = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", {"type": kind, **where})

    def _middle(self, selector):
        return self.eval(
            f"(() => {{ const e = document.querySelector({selector!r});"
            " e.scrollIntoView({block: 'nearest'}); const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )

    def upload(self, selector, path):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
        self.call("DOM.setFileInputFiles", {"nodeId": node, "files": [str(path)]})

    def insert(self, text):
        self.call("Input.insertText", {"text": text})

    def enter(self):
        """With its character, without which there is no keypress event."""
        one = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        self.call("Input.dispatchKeyEvent", {"type": "keyDown", "text": "\r", **one})
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", **one})
