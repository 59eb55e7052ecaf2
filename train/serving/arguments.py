"""What vLLM's server is told about a checkpoint, whichever way it was written.

python -m vllm.entrypoints.openai.api_server $(the list that server_arguments gives)
"""

from pathlib import Path

from palo.errors import MissingResource
from palo.files import read_json

BASE, ADAPTER = "base", "adapter"  # the two parts of a checkpoint that is not merged
# The only ranks that vLLM 0.32 makes room for.
_ROOMS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
# PIL's resizing is what training used; with torchvision installed vLLM would take that one's.
_PIXELS = ["--mm-processor-kwargs", '{"backend": "pil"}']


def server_arguments(folder: Path, name: str) -> list[str]:
    """Flags for `vllm.entrypoints.openai.api_server`: the checkpoint in `folder` answers as `name`.

    A merged checkpoint, or one of base and adapter, where the base alone answers as `<name>-base`.
    """
    if (folder / "config.json").is_file():
        return ["--model", str(folder), "--served-model-name", name, *_PIXELS]
    base, adapter = folder / BASE, folder / ADAPTER
    if not (base / "config.json").is_file() or not (adapter / "adapter_config.json").is_file():
        raise MissingResource(
            f"No checkpoint in {folder}: neither config.json nor {BASE}/ and {ADAPTER}/. "
            f"Train it first: palo train --scale {folder.name}"
        )
    return [
        *("--model", str(base), "--served-model-name", f"{name}-base", *_PIXELS),
        *("--enable-lora", "--max-lora-rank", str(max_lora_rank(adapter))),
        *("--lora-modules", f"{name}={adapter}"),
    ]


def max_lora_rank(adapter: Path) -> int:
    """The room that vLLM must make for the adapter: its default of 16 refuses PALO's 128."""
    rank = int(read_json(adapter / "adapter_config.json")["r"])
    return next(room for room in _ROOMS if room >= rank)
