"""Opens the page of `palo demo-ui`; what Gradio needs is set before it is imported.

palo demo-ui --scale 7b
"""

import atexit
import os
import shutil
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from palo.errors import MissingResource
from train.serving.server import Address

MAX_UPLOAD = "20mb"
_MAX_WAITING = 32
_CSS_PATH = Path(__file__).with_name("page.css")
_FONTS = ["system-ui", "Noto Sans", "DejaVu Sans", "sans-serif"]  # names alone: nothing is fetched


@dataclass(frozen=True)
class About:
    """What the page says of its model."""

    title: str
    is_standin: bool

    @property
    def limits(self) -> str:
        if self.is_standin:
            return (
                "A tiny twin, trained in minutes on drawn scenes of coloured shapes: it knows "
                "nothing else, and is often wrong about counts and sides."
            )
        return "A research model: it can be wrong, and sure of it. One picture a conversation."


def require_gradio() -> None:
    """Raises MissingResource; sets what Gradio reads when it is imported."""
    if find_spec("gradio") is None:
        raise MissingResource("Gradio is not installed: make setup (or pip install 'palo[ui]')")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if "GRADIO_TEMP_DIR" not in os.environ:  # uploads go when the page does
        folder = tempfile.mkdtemp(prefix="palo-demo-ui-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["GRADIO_TEMP_DIR"] = folder


def open_page(page: Any, address: Address) -> None:
    """Serves the page until Ctrl-C."""
    launch(page, address)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    page.close(verbose=False)


def launch(page: Any, address: Address) -> None:
    """Serves the page in threads of this process."""
    import gradio

    page.queue(max_size=_MAX_WAITING).launch(
        server_name=address.host,
        server_port=address.port,
        share=False,
        quiet=True,
        prevent_thread_lock=True,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        footer_links=[],
        max_file_size=MAX_UPLOAD,
        allowed_paths=page.picture_paths,
        theme=gradio.themes.Soft(primary_hue="teal", font=_FONTS, font_mono=["monospace"]),
        css=_CSS_PATH.read_text(encoding="utf-8"),
    )
