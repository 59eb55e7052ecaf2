"""A scale's checkpoint, and vLLM's server for it: its command, its environment, and its end.

    palo serve --scale 7b

The server takes the place of this process, and with it its id, so it is started, stopped and
killed as one. A watcher stays behind: when the server is gone, however that came about, it kills
what engine processes are left (palo/engines/reaper.py).
"""

import atexit
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

from palo.engines.reaper import VLLM_SERVER, marked, new_mark, reap_orphans, start_watcher
from palo.engines.vllm import max_lora_rank
from palo.errors import MissingResource, UserError
from palo.settings import Profile
from train.model.layout import ADAPTER, BASE, model_dir
from train.scale import Scale

API_KEY = "VLLM_API_KEY"  # vLLM's own name; a flag would be in the list of processes
_PLUGINS, _OURS = "VLLM_PLUGINS", "palo"
# PIL's resizing is what training used; with torchvision installed vLLM would take that one's.
_PIXELS = ["--mm-processor-kwargs", '{"backend": "pil"}']
_OWN = {
    "--api-key": f"set {API_KEY} in the environment",
    "--host": "give --host before the --",
    "--port": "give --port before the --",
    "--model": "give --checkpoint before the --",
    "--served-model-name": "give --served-model-name before the --",
}


def find_checkpoint(scale: Scale, profile: Profile, given: Path | None) -> Path:
    """The folder `given`, else the profile's own of the scale. Raises MissingResource."""
    if given is not None:
        if not model_dir(given):
            raise MissingResource(
                f"No checkpoint in {given}: neither config.json nor {BASE}/ and {ADAPTER}/."
            )
        return given
    merged = profile.paths.checkpoint(scale.name)
    for folder in (merged, merged.with_name(f"{merged.name}-adapter")):  # see `keep_adapter`
        if model_dir(folder):
            return folder
    raise MissingResource(
        f"No checkpoint in {merged}. Train it first: palo train --scale {scale.name}"
    )


def server_arguments(folder: Path, name: str) -> list[str]:
    """vLLM's flags: the checkpoint answers as `name`, an adapter's base as `<name>-base`."""
    model = model_dir(folder)
    if model == folder:
        return ["--model", str(folder), "--served-model-name", name, *_PIXELS]
    adapter = folder / ADAPTER
    return [
        *("--model", str(model), "--served-model-name", f"{name}-base", *_PIXELS),
        *("--enable-lora", "--max-lora-rank", str(max_lora_rank(adapter))),
        *("--lora-modules", f"{name}={adapter}"),
    ]


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return self.host == "localhost"

    def require_free(self) -> None:
        """Raises UserError where something listens there, or nothing of this machine can."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self.host, self.port))
            except OSError as error:
                reason = error.strerror or str(error)
                raise UserError(
                    f"Cannot listen at {self.host}:{self.port} ({reason}): give another --port "
                    "or --host."
                ) from None


@dataclass(frozen=True)
class Server:
    command: tuple[str, ...]
    environment: Mapping[str, str]


def make_server(
    folder: Path, name: str, address: Address, more: Sequence[str], on_cpu: bool
) -> Server:
    """Raises MissingResource without vLLM, UserError for flags that are ours."""
    if find_spec("vllm") is None:
        raise MissingResource("vLLM is not installed: make vllm")
    for word in more:
        flag = word.partition("=")[0].replace("_", "-")
        if flag in _OWN:
            raise UserError(f"{flag} is not for vLLM here: {_OWN[flag]}.")
    command = (
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
        *server_arguments(folder, name),
        *("--host", address.host, "--port", str(address.port)),
        *("--limit-mm-per-prompt", '{"image": 1}'),
        *(("--dtype", "float32") if on_cpu else ()),
        *more,
    )
    environment = {**VLLM_SERVER, **os.environ}  # what was set stays
    plugins = environment.get(_PLUGINS)
    if plugins is not None and _OURS not in plugins.split(","):
        environment[_PLUGINS] = ",".join(filter(None, (plugins, _OURS)))
    return Server(command, environment)


def announcement(server: Server, name: str, address: Address) -> str:
    """Where it will be, and a shell command to try it with, which asks about `picture.jpg`."""
    has_key = bool(server.environment.get(API_KEY))
    header = f' -H "Authorization: Bearer ${API_KEY}"' if has_key else ""
    host = "127.0.0.1" if address.host == "0.0.0.0" else address.host
    image = "data:image/jpeg;base64,$(base64 < picture.jpg | tr -d '\\n')"
    said = f"""\
Serving {name} at {address.url}/v1 (once vLLM says so). Try it:

curl {Address(host, address.port).url}/v1/chat/completions \
-H "Content-Type: application/json"{header} -d @- <<END
{{"model": "{name}", "temperature": 0, "messages": [{{"role": "user", "content": [
  {{"type": "image_url", "image_url": {{"url": "{image}"}}}},
  {{"type": "text", "text": "What is it?"}}]}}]}}
END
"""
    if not address.is_loopback:
        key = f"those with the key in {API_KEY}" if has_key else "anyone who can reach it"
        said += f"\nWarning: {address.host} lets other machines in: {key}. It is not encrypted.\n"
    return said


def replace_process(server: Server) -> None:
    """Becomes the server; the watcher's pipe stays open for as long as that lives."""
    reap_orphans()
    mark = new_mark()
    watcher = start_watcher(mark)
    assert watcher.stdin is not None
    os.set_inheritable(watcher.stdin.fileno(), True)
    with marked(mark):
        os.execve(server.command[0], server.command, {**os.environ, **server.environment})


def require_gradio() -> None:
    """Raises MissingResource; sets what Gradio reads when it is imported (page.py)."""
    if find_spec("gradio") is None:
        raise MissingResource("Gradio is not installed: make setup (or pip install 'palo[ui]')")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if "GRADIO_TEMP_DIR" not in os.environ:  # uploads go when the page does
        folder = tempfile.mkdtemp(prefix="palo-demo-ui-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["GRADIO_TEMP_DIR"] = folder
