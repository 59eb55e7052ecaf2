"""Takes the pictures of docs/models.md from the real page over a trained checkpoint.

    python docs/images/screenshots.py [--checkpoint DIR]   after palo train --scale 7b

Needs a Chromium and fonts of ten scripts (Noto). Each chat is what the model really answered.
"""

import shutil
import socket
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from palo.settings import load_profile  # noqa: E402
from tests.train.serving.conftest import ListeningBrowser  # noqa: E402
from train.scale import load_scale  # noqa: E402
from train.serving.server import Address, find_checkpoint, require_gradio  # noqa: E402

SIZE = {"width": 1200, "height": 760, "deviceScaleFactor": 1, "mobile": False}
PICTURES = {"en": 1, "ur": 3}  # language: which example


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path)
    given = parser.parse_args().checkpoint
    settings = load_profile("sample")
    scale = load_scale("7b", settings.train.scales_dir)
    require_gradio()
    from train.serving.chat import Sampling, Talker
    from train.serving.page import Page, load_examples

    talker = Talker(find_checkpoint(scale, settings, given), scale.max_length)
    examples = load_examples(settings.evaluate)
    page = Page(talker, Sampling(), examples, f"PALO {scale.name}", scale.is_standin)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", free.getsockname()[1])
    page.launch(address)
    for lang, example in PICTURES.items():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            _take(lang, example, address, Path(folder))
    page.blocks.close(verbose=False)


def _take(lang: str, example: int, address: Address, folder: Path) -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "no Chromium on the PATH"
    browser = ListeningBrowser(program, folder / "chromium")
    browser.call("Emulation.setDeviceMetricsOverride", SIZE)
    browser.go(address.url)
    browser.wait("document.querySelectorAll('#examples button img').length > 2")
    browser.eval("new Promise(done => setTimeout(done, 1500))")  # until it listens to clicks
    browser.click(f"#languages input[value={lang}]")
    browser.wait(f"document.querySelector('#question.lang-{lang}') !== null || '{lang}' === 'en'")
    browser.click(f"#examples .grid-container > :nth-child({example}) button")
    for number in (1, 2):
        browser.wait(f"document.querySelectorAll('#questions button').length >= {number}")
        browser.click(f"#questions button:nth-of-type({number})")
        browser.wait(f"document.querySelectorAll('#chat .bot.message').length === {number}")
        browser.wait("document.querySelector('#stop').disabled")
    browser.eval("document.activeElement.blur()")
    browser.eval("new Promise(done => setTimeout(done, 800))")  # what fades has faded
    browser.screenshot(HERE / f"talk-{lang}.png")
    browser.close()


if __name__ == "__main__":
    main()
