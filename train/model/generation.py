"""An opened checkpoint that continues prompts, token for token as it was trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from train.data.images import make_processor
from train.data.steps import Item, Packer
from train.data.template import Template
from train.model.checkpoint import load_checkpoint, load_merged
from train.model.layout import BASE


class CheckpointModel:
    """Of a folder, merged or base and adapter; on the GPU in bfloat16, on a CPU in float32."""

    def __init__(self, folder: Path) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if self.device == "cuda" else torch.float32
        if (folder / BASE).is_dir() and not (folder / "config.json").is_file():
            model, self.tokenizer = load_merged(folder)  # rounded once, after merging
        else:
            model, self.tokenizer = load_checkpoint(folder, dtype)
        self.model: Any = model.to(self.device, dtype).eval()  # type: ignore[arg-type]
        config: Any = self.model.config
        self.template = Template(self.tokenizer)
        self.processor = make_processor(config.vision_config.image_size)
        self.packer = Packer(
            config.image_token_id, config.image_seq_length, self.tokenizer.pad_token_id
        )

    @torch.inference_mode()
    def generate(self, items: Sequence[Item], max_new_tokens: int, **how: Any) -> torch.Tensor:
        """The new tokens of each prompt, (items, at most max_new_tokens); all or no items have
        pixels."""
        rows = [self.packer.expand(item.encoded).input_ids for item in items]
        length = max(len(row) for row in rows)
        # generation continues at the right end, so prompts are padded on the left
        ids = torch.full((len(rows), length), self.packer.pad_token_id)
        mask = torch.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, length - len(row) :] = torch.tensor(row)
            mask[index, length - len(row) :] = 1
        pixels = [item.pixels for item in items if item.pixels is not None]
        if pixels:
            how["pixel_values"] = torch.stack(pixels).to(self.device, self.model.dtype)
        written: torch.Tensor = self.model.generate(
            input_ids=ids.to(self.device),
            attention_mask=mask.to(self.device),
            max_new_tokens=max_new_tokens,
            pad_token_id=self.packer.pad_token_id,
            **how,
        )
        return written[:, length:]
