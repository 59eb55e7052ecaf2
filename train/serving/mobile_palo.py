"""MobilePALO for vLLM: its LLaVA with the LDP projector, four patches to an image token."""

from typing import Any

from vllm.config import VllmConfig
from vllm.model_executor.models import llava
from vllm.model_executor.models.utils import StageMissingLayer
from vllm.multimodal import MULTIMODAL_REGISTRY

from train.model.assembly import LdpProjector, MobilePaloConfig


class MobilePaloProcessingInfo(llava.LlavaProcessingInfo):
    """How many tokens an image takes, and which processor makes its pixels."""

    def get_hf_config(self) -> Any:
        return self.ctx.get_hf_config(MobilePaloConfig)

    def get_hf_processor(self, **kwargs: object) -> Any:
        # torchvision's resizing gives other pixels than those of training
        return super().get_hf_processor(**{"backend": "pil", **kwargs})

    def get_num_image_tokens(self, *, image_width: int, image_height: int) -> int:
        """144 at 336 px and patches of 14, whatever the picture's size."""
        return int(self.get_hf_config().image_seq_length)


@MULTIMODAL_REGISTRY.register_processor(
    llava.LlavaMultiModalProcessor,
    info=MobilePaloProcessingInfo,
    dummy_inputs=llava.LlavaDummyInputsBuilder,
)
class MobilePaloForConditionalGeneration(llava.LlavaForConditionalGeneration):
    """Adapters are for the language model; every rank holds the whole (small) projector."""

    supports_tower_connector_lora = False

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        super().__init__(vllm_config=vllm_config, prefix=prefix)
        config = vllm_config.model_config.hf_config
        # vLLM leaves tower and projector out where it is told to take no images
        if not isinstance(self.multi_modal_projector, StageMissingLayer):
            projector: Any = LdpProjector(
                config.vision_config.hidden_size, config.text_config.hidden_size
            )
            self.multi_modal_projector = projector
