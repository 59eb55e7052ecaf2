import json
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed")

# vLLM's own loader finds the installed plug-in; a process of its own, as vLLM's are
LOAD = """
import json, sys
from importlib.util import find_spec
from vllm.plugins import load_general_plugins
load_general_plugins()
from train.serving.plugin import register
register()
register()
from transformers import AutoConfig
from vllm import ModelRegistry
known = "MobilePaloForConditionalGeneration" in ModelRegistry.get_supported_archs()
eager = "train.serving.mobile_palo" in sys.modules
config = type(AutoConfig.for_model("mobile_palo")).__name__
from train.serving.mobile_palo import MobilePaloForConditionalGeneration as Model
from vllm.model_executor.models.interfaces import supports_lora, supports_multimodal, supports_pp
able = [supports_lora(Model), supports_multimodal(Model), supports_pp(Model)]
print(json.dumps([known, eager, config, able, Model.supports_tower_connector_lora]))
"""


def test_vllm_s_entry_points_name_the_plugin():
    (found,) = entry_points(group="vllm.general_plugins", name="palo")
    assert found.value == "train.serving.plugin:register"


@pytest.mark.slow
def test_vllm_loads_the_plugin_which_may_run_again_and_loads_the_model_late():
    run = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    known, eager, config, able, tower_adapters = json.loads(run.stdout.strip().split("\n")[-1])
    assert known
    assert not eager
    assert config == "MobilePaloConfig"
    assert able == [True, True, True]
    assert not tower_adapters
