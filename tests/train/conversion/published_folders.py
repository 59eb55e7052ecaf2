"""Folders in the published layout, named by hand: nothing here is read from the code under test."""

import hashlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from train.conversion.convert import convert
from train.conversion.published import Conversion
from train.model.assembly import LdpProjector

GOLDEN = Path(__file__).parents[2] / "golden"
TOKENS = 2600  # of the golden tokenizer, `<image>` not among them
TOWER = "model.vision_tower.vision_tower.vision_model."
TYPES = {
    "mlp2x_gelu": ("llava", "LlavaLlamaForCausalLM"),
    "ldpnet": ("palo", "PaloForCausalLM"),
}


class PublishedModel:
    """A tiny PALO: the three modules that the published code puts together, and its arithmetic."""

    def __init__(self, projector="mlp2x_gelu", dtype=torch.float32, rows=TOKENS, tied=False):
        torch.manual_seed(5)
        self.kind, self.dtype = projector, dtype
        self.tower = CLIPVisionModel(
            CLIPVisionConfig(
                hidden_size=24,
                intermediate_size=48,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=64,
                patch_size=16,
                projection_dim=16,
            )
        )
        self.language = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=rows,
                hidden_size=40,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=2,
                initializer_range=0.15,
                bos_token_id=1,
                eos_token_id=2,
                pad_token_id=0,
                tie_word_embeddings=tied,
            )
        )
        if projector == "ldpnet":
            self.projector = LdpProjector(24, 40)
            golden = load_file(GOLDEN / "ldp_projector.safetensors")
            weights = {k[7:]: v for k, v in golden.items() if k.startswith("weight.")}
            self.projector.load_state_dict(weights)
        else:
            self.projector = nn.Sequential(nn.Linear(24, 40), nn.GELU(), nn.Linear(40, 40))
        for part in (self.tower, self.language, self.projector):
            part.to(dtype).eval()

    def language_state(self):
        state = dict(self.language.state_dict())
        if self.language.config.tie_word_embeddings:
            del state["lm_head.weight"]
        return state

    def projector_state(self):
        return {f"model.mm_projector.{n}": t for n, t in self.projector.state_dict().items()}

    def tower_state(self):
        state = self.tower.state_dict()
        return {TOWER + n.removeprefix("vision_model."): t for n, t in state.items()}

    def state(self):
        return {**self.language_state(), **self.tower_state(), **self.projector_state()}

    def config(self, **changes):
        kind, architecture = TYPES[self.kind]
        text = self.language.config
        return {
            "_name_or_path": "lmsys/vicuna-7b-v1.5",
            "architectures": [architecture],
            "bos_token_id": 1,
            "eos_token_id": 2,
            "freeze_mm_mlp_adapter": False,
            "hidden_act": "silu",
            "hidden_size": 40,
            "image_aspect_ratio": "pad",
            "initializer_range": 0.02,
            "intermediate_size": 64,
            "max_length": 4096,
            "max_position_embeddings": 2048,
            "mm_hidden_size": 24,
            "mm_projector_type": self.kind,
            "mm_resampler_type": None,
            "mm_use_im_patch_token": False,
            "mm_use_im_start_end": False,
            "mm_vision_select_feature": "patch",
            "mm_vision_select_layer": -2,
            "mm_vision_tower": "tower",
            "model_type": kind,
            "num_attention_heads": 2,
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            "pad_token_id": 0,
            "pretraining_tp": 1,
            "rms_norm_eps": text.rms_norm_eps,
            "rope_scaling": None,
            "tie_word_embeddings": text.tie_word_embeddings,
            "torch_dtype": str(self.dtype).removeprefix("torch."),
            "transformers_version": "4.31.0",
            "tune_mm_mlp_adapter": False,
            "use_cache": True,
            "use_mm_proj": True,
            "vocab_size": text.vocab_size,
            **changes,
        }

    @torch.no_grad()
    def logits(self, ids, pixels):
        """What the published code computes for `ids` after the picture's tokens."""
        features = self.tower(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
        words = self.language.get_input_embeddings()(torch.tensor([ids]))
        mixed = torch.cat([words[:, :1], self.projector(features), words[:, 1:]], dim=1)
        return self.language(inputs_embeds=mixed).logits


def write_json(path, value):
    path.write_text(json.dumps(value), "utf-8")


def copy_tokenizer(folder):
    for path in (GOLDEN / "tokenizer").iterdir():
        shutil.copyfile(path, folder / path.name)


def write_tower(folder, model):
    """The CLIP tower that `mm_vision_tower` names, as a hub stores it."""
    folder.mkdir()
    config = model.tower.config.to_dict()
    write_json(folder / "config.json", {**config, "model_type": "clip_vision_model"})
    state = {n.removeprefix("vision_model."): t for n, t in model.tower.state_dict().items()}
    torch.save({f"vision_model.{n}": t for n, t in state.items()}, folder / "pytorch_model.bin")


def write_base(folder, model):
    """The language model before LLaVA came to it."""
    folder.mkdir()
    config = model.language.config.to_dict()
    write_json(folder / "config.json", {**config, "model_type": "llama"})
    save_file(model.language_state(), folder / "model.safetensors", {"format": "pt"})
    copy_tokenizer(folder)


def write_full(folder, model, shards=0, tower=True, config=None):
    """A whole checkpoint: model.safetensors, or `shards` .bin files with their index."""
    folder.mkdir()
    state = model.state()
    if not tower:
        state = {n: t for n, t in state.items() if not n.startswith(TOWER)}
    if shards:
        names, where = list(state), {}
        for at in range(shards):
            file = f"pytorch_model-{at + 1:05d}-of-{shards:05d}.bin"
            part = {n: state[n] for n in names[at::shards]}
            torch.save(part, folder / file)
            where |= dict.fromkeys(part, file)
        index = {"metadata": {"total_size": 1}, "weight_map": where}
        write_json(folder / "pytorch_model.bin.index.json", index)
    else:
        save_file(state, folder / "model.safetensors", {"format": "pt"})
    write_json(folder / "config.json", config or model.config())
    write_json(folder / "generation_config.json", {"temperature": 0.9, "top_p": 0.6})
    copy_tokenizer(folder)
    return folder


def write_projector(folder, model):
    """What stage 1 of the published trainer leaves."""
    folder.mkdir()
    torch.save(model.projector_state(), folder / "mm_projector.bin")
    write_json(folder / "config.json", model.config(tune_mm_mlp_adapter=True))
    return folder


def write_lora(folder, model, base, dtype=torch.float32, file="adapter_model.bin", **changes):
    """What stage 2 leaves with LoRA; the adapter's matrices, by module."""
    folder.mkdir()
    generator = torch.Generator().manual_seed(9)
    pairs = {}
    for name, weight in model.language.state_dict().items():
        if name.endswith("_proj.weight"):
            module = name.removesuffix(".weight")
            down = torch.randn(4, weight.shape[1], generator=generator).to(dtype)
            up = torch.randn(weight.shape[0], 4, generator=generator).to(dtype)
            pairs[f"base_model.model.{module}.lora_A.weight"] = down * 0.2
            pairs[f"base_model.model.{module}.lora_B.weight"] = up * 0.2
    if file.endswith(".bin"):
        torch.save(pairs, folder / file)
    else:
        save_file(pairs, folder / file, {"format": "pt"})
    rest = {f"base_model.model.{n}": t for n, t in model.projector_state().items()}
    torch.save(rest, folder / "non_lora_trainables.bin")
    targets = sorted({name.split(".")[-3] for name in pairs})
    settings = {
        "base_model_name_or_path": str(base),
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "lora_alpha": 8,
        "lora_dropout": 0.05,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": 4,
        "target_modules": targets,
        "task_type": "CAUSAL_LM",
        **changes,
    }
    write_json(folder / "adapter_config.json", settings)
    write_json(folder / "config.json", model.config())
    return folder


def digests(folder):
    """Digest by path of every file of a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def same(one, other):
    """Tensors equal bit for bit, in kind and name."""
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype
        and torch.equal(one[name].view(torch.uint8), other[name].view(torch.uint8))
        for name in one
    )


def to_hf(folder, **options):
    out = folder.with_name(f"{folder.name}-hf")
    convert(Conversion(folder, out, **options))
    return out


def to_llava(folder, **options):
    out = folder.with_name(f"{folder.name}-llava")
    convert(Conversion(folder, out, **options))
    return out
