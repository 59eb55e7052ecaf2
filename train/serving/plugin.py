"""vLLM's plug-in (entry point `vllm.general_plugins`): MobilePALO, and LLaVA without torchvision.

vLLM calls `register` in each of its processes before it looks at a model: server, engine cores,
workers, and the process that inspects model classes.
"""

import sys
from importlib import import_module
from importlib.util import find_spec

_PIXTRAL = "transformers.models.pixtral.image_processing_pixtral"
_PIL_PIXTRAL = "transformers.models.pixtral.image_processing_pil_pixtral"
_ARCHITECTURE = "MobilePaloForConditionalGeneration"


def register() -> None:
    """Makes vLLM know MobilePALO's configuration and model; may be called any number of times."""
    from vllm import ModelRegistry

    import_module("train.model.assembly")  # registers the configuration with transformers
    # vLLM's LLaVA imports its Pixtral for the other vision tower, and that one function (how many
    # patches a picture has) from transformers' torchvision file. The PIL file has the same one.
    if find_spec("torchvision") is None and _PIXTRAL not in sys.modules:
        sys.modules[_PIXTRAL] = import_module(_PIL_PIXTRAL)
    if _ARCHITECTURE not in ModelRegistry.get_supported_archs():
        # by name: importing the class here would start CUDA before vLLM forks
        ModelRegistry.register_model(_ARCHITECTURE, f"train.serving.mobile_palo:{_ARCHITECTURE}")
