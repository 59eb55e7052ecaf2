"""The dress rehearsal's world: the `palo` profile's files and models, all of it real but the size.

Models keep their published configs, tokenizer classes, special tokens and chat templates and lie in
a Hugging Face cache, under their own names and revisions; only width and depth are cut, and weights
are random (sceneworld/published/models.yaml says what was seen, and where). Lists have LLaVA's
shapes and names; pictures have the sizes and kinds of the collections that they are named after.
"""

import base64
import importlib.util
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from palo.errors import MissingResource
from palo.files import read_json, write_json
from palo.schemas import IMAGE_TAG
from palo.settings import WorldSettings
from sceneworld import messages as m
from sceneworld.build import build_world
from sceneworld.conversations import (
    DETAIL_PROMPTS,
    caption,
    conversation_exchanges,
    detail_answer,
)
from sceneworld.draw import draw
from sceneworld.grammar import say_turn
from sceneworld.scene import Scene, Thing, make_scene
from sceneworld.truth import Truth, add_turn, rows

PUBLISHED = Path(__file__).with_name("published")
MODELS: dict[str, dict[str, Any]] = {
    model.pop("name"): model
    for model in yaml.safe_load((PUBLISHED / "models.yaml").read_text("utf-8"))
}
SEED = 7
# Characters of the answers in samples of each kind, as LLaVA-Instruct has them on average: talks, a
# description and a piece of reasoning. The English mix has the longest, too.
SHAPES = ((120, 90, 60, 150), (100, 80, 130, 60), (140, 70, 90, 110), (500,), (1000,))
LONGEST = (90, 490, 1400)
SOURCE_SAMPLES, MIX_SAMPLES, CAPTIONS = len(SHAPES), 150, 260  # a step takes 128 and 256
SCENES = 12  # pictures are named many times and drawn so often
# Folder, width and height, and how a file of the collection is stored.
COCO = ("coco/train2017", (640, 480), "JPEG")
COLLECTIONS = (
    COCO,
    ("gqa/images", (500, 375), "JPEG"),
    ("ocr_vqa/images", (250, 350), "PNG"),  # named .jpg, as LLaVA's list has them
    ("textvqa/train_images", (1024, 768), "JPEG"),
    ("vg/VG_100K", (800, 600), "JPEG"),
    ("vg/VG_100K_2", (333, 500), "grey JPEG"),
)
CAPTION_PROMPT = "Provide a brief description of the given image."


def build(folder: Path, repository: Path) -> Path:
    """Everything that docs/real-run.md starts from, below `folder`; returns its pipelines.yaml.

    HF_HOME is to be `folder/huggingface`. Raises MissingResource without vLLM, which brings the
    vocabularies of real size.
    """
    for model in MODELS:
        _write_snapshot(model, folder / "huggingface" / "hub")
    _write_data(folder / "data" / "palo")
    return _write_settings(folder, repository)


def _write_settings(folder: Path, repository: Path) -> Path:
    """The `palo` profile as it is; only, checkpoints come every step, of which there are two, the
    translator's fine-tune is of one epoch and used whatever it scores, and float32 stands for
    bfloat16 where the CPU lacks it.
    """
    import torch

    settings = yaml.safe_load((repository / "pipelines.yaml").read_text("utf-8"))
    settings["default_profile"] = "palo"
    profile = settings["profiles"]["palo"]
    scales = repository / profile["train"]["scales_dir"]
    (folder / "scales").mkdir(parents=True, exist_ok=True)
    for path in sorted(scales.glob("*.yaml")):
        scale = yaml.safe_load(path.read_text("utf-8"))
        scale["stage2"]["save_every_steps"] = 1
        (folder / "scales" / path.name).write_text(yaml.safe_dump(scale), "utf-8")
    profile["train"]["scales_dir"] = "scales"
    profile["translator"]["finetune"] |= {"epochs": 1, "max_chrf_loss": 100}
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # emulated, four times as slow
        profile["translator"]["dtype"] = "float32"
    path = folder / "pipelines.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), "utf-8")
    return path


# Models


def _write_snapshot(name: str, hub: Path) -> None:
    """As `hf download` leaves it."""
    place, revision = hub / f"models--{name.replace('/', '--')}", MODELS[name]["revision"]
    shutil.rmtree(place, ignore_errors=True)
    write_model(name, place / "snapshots" / revision)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(revision)


def write_model(name: str, folder: Path, is_narrow: bool = True) -> None:
    """A published model's files with random weights, made on the GPU where there is one; those that
    are not narrow have all of its width and depth."""
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    model = MODELS[name]
    shutil.copytree(PUBLISHED / name.replace("/", "--"), folder)
    config = read_json(folder / "config.json")
    for path, value in model["narrow"].items() if is_narrow else ():
        section, _, field = path.rpartition(".")
        (config[section] if section else config)[field] = value
    write_json(folder / "config.json", config)
    if model.get("tokenizer") == "sentencepiece":
        shutil.copyfile(_vocabulary("tokenizer.model.v1"), folder / "tokenizer.model")
    elif model.get("tokenizer"):
        _write_byte_level(folder, config["vocab_size"])
    torch.manual_seed(SEED)
    read = AutoConfig.from_pretrained(folder)
    kind: Any = AutoModel if "vision_config" in config else AutoModelForCausalLM
    dtype = getattr(torch, config.get("torch_dtype", "float32"))
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        weights = kind.from_config(read, dtype=dtype)
    if read.model_type == "hunyuan_v1_dense":
        _end_answers(weights, read.bos_token_id - 1, read.eos_token_id)
    weights.cpu()
    if model["files"] == "model.safetensors":
        weights.save_pretrained(folder / "made")
        shutil.move(folder / "made" / model["files"], folder / model["files"])
        shutil.rmtree(folder / "made")
    else:
        torch.save({**weights.state_dict(), **_of_its_time(read)}, folder / model["files"])


def _end_answers(weights: Any, first_special: int, end: int) -> None:
    """Random weights would say one piece to every answer's limit: these wander, and end after some
    20 pieces, drawn or not.

    Layers outweigh what they are added to, so the next piece hangs on the whole text. One in 20
    pieces has a large first number, which no layer adds to; the end's is twice as large. The head
    is the embeddings, so after such a piece the end is the likeliest by far.
    """
    import torch

    with torch.no_grad():
        for name, matrix in weights.named_parameters():
            if ".layers." in name and matrix.ndim == 2:
                matrix.mul_(5)
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    matrix[0] = 0
        table = weights.get_input_embeddings().weight
        table[:, 0] = 0
        table[:first_special:20, 0] = 3
        table[end, 0] = 6


def _of_its_time(config: Any) -> dict[str, Any]:
    """Buffers that transformers of 2023 saved with the weights, and that no model of today has."""
    import torch

    if config.model_type == "clip":
        sides = {"text_model": config.text_config.max_position_embeddings}
        sides["vision_model"] = (config.vision_config.image_size // 14) ** 2 + 1
        return {
            f"{side}.embeddings.position_ids": torch.arange(places)[None]
            for side, places in sides.items()
        }
    half = config.hidden_size // config.num_attention_heads // 2
    frequencies = 10_000 ** (-torch.arange(half) / half)
    return {
        f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": frequencies
        for layer in range(config.num_hidden_layers)
    }


def _vocabulary(name: str) -> Path:
    spec = importlib.util.find_spec("mistral_common")
    if spec is None or spec.origin is None:
        raise MissingResource("The rehearsal needs vLLM and what comes with it: make vllm")
    return Path(spec.origin).parent / "data" / name


def _write_byte_level(folder: Path, vocab_size: int) -> None:
    """tokenizer.json of the size of Hy-MT2's, its special tokens at their published numbers."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    told = json.loads(_vocabulary("tekken_240911.json").read_text("utf-8"))
    special = ["<|endoftext|>", "<|startoftext|>", "<|bos|>", "<|eos|>", "<|pad|>"]
    special += [f"<|extra_{number}|>" for number in range(204)]
    plain = vocab_size - 1 - len(special)
    conversion: Any = importlib.import_module("transformers.convert_slow_tokenizer")
    letters: dict[int, str] = conversion.bytes_to_unicode()
    pieces = [base64.b64decode(piece["token_bytes"]) for piece in told["vocab"][:plain]]
    ranks = {piece: rank for rank, piece in enumerate(pieces)}
    merges = [
        max(
            ((piece[:cut], piece[cut:]) for cut in range(1, len(piece))
             if piece[:cut] in ranks and piece[cut:] in ranks),
            key=lambda pair: -max(ranks[pair[0]], ranks[pair[1]]),
        )
        for piece in pieces if len(piece) > 1
    ]  # fmt: skip

    def spelled(piece: bytes) -> str:
        return "".join(letters[byte] for byte in piece)

    tokenizer = Tokenizer(
        models.BPE(
            vocab={spelled(piece): rank for piece, rank in ranks.items()},
            merges=[(spelled(left), spelled(right)) for left, right in merges],
            ignore_merges=True,
        )
    )
    split = pre_tokenizers.Split(Regex(told["config"]["pattern"]), behavior="isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))


# Lists and pictures


def _write_data(data_dir: Path) -> None:
    taken: set[tuple[Thing, ...]] = set()
    scenes = [make_scene(f"rehearsal/{number}", SEED, taken) for number in range(SCENES)]
    drawn = [(scene, random.Random(scene.scene_id), draw(scene)) for scene in scenes]
    images = data_dir / "images"
    truth: Truth = {}
    source, mix, captions = [], [], []
    for number in range(SOURCE_SAMPLES):
        scene, rng, picture = drawn[number % SCENES]
        name = f"{number * 7919 + 9:012d}.jpg"
        _save(picture, images / COCO[0] / name, *COCO[1:])
        talk = _talk(scene, rng, SHAPES[number], truth)
        source.append({"id": name[:-4], "image": name, "conversations": talk})
    for number in range(MIX_SAMPLES):
        scene, rng, picture = drawn[number % SCENES]
        sample: dict[str, Any] = {"id": f"{number:09d}"}
        if number % 10:
            where, size, kind = COLLECTIONS[number % len(COLLECTIONS)]
            sample["image"] = f"{where}/{number:012d}.jpg"
            _save(picture, images / sample["image"], size, kind)
        shape = (*SHAPES, LONGEST)[number % (len(SHAPES) + 1)]
        talk = _talk(scene, rng, shape, {}, bool(number % 10))
        mix.append({**sample, "conversations": talk})
    for number in range(CAPTIONS):
        scene, rng, picture = drawn[number % SCENES]
        name = f"GCC_train_{number:09d}.jpg"
        _save(picture, data_dir / "captions" / name, (336, 224), "JPEG")
        asked = [f"{CAPTION_PROMPT}\n{IMAGE_TAG}", f"{IMAGE_TAG}\n{CAPTION_PROMPT}"][number % 2]
        talk = _turns([(asked, caption(scene))])
        captions.append({"id": name[:-4], "image": name, "conversations": talk})
    write_json(data_dir / "llava_instruct_150k.json", source)
    write_json(data_dir / "llava_v1_5_mix665k.json", mix)
    write_json(data_dir / "cc3m_595k_chat.json", captions)
    told = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows(truth))
    (data_dir / "truth.jsonl").write_text(told, "utf-8")
    _write_held_out(data_dir)


def _talk(
    scene: Scene, rng: random.Random, lengths: Sequence[int], truth: Truth, has_image: bool = True
) -> list[dict[str, str]]:
    """Rounds whose answers are about so long in English; their translations go to `truth`."""
    rounds = []
    exchanges = conversation_exchanges(scene, rng, len(lengths) - 1, lambda question: True)
    for number, length in enumerate(lengths):
        asked: m.Message = m.AskDetail(rng.randrange(DETAIL_PROMPTS))
        told: tuple[m.Message, ...] = ()
        if number < len(exchanges):
            asked, told = exchanges[number].question, exchanges[number].sentence
        while len(say_turn(told, "en")) < length:
            told += detail_answer(scene, rng)[: rng.randint(2, 5)]
        question = say_turn((asked,), "en")
        add_turn(truth, "", (asked,))
        add_turn(truth, question, told)
        rounds.append((question, say_turn(told, "en")))
    if has_image:
        rounds[0] = (f"{rounds[0][0]}\n{IMAGE_TAG}", rounds[0][1])
    return _turns(rounds)


def _turns(rounds: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [
        {"from": role, "value": text}
        for pair in rounds
        for role, text in zip(("human", "gpt"), pair, strict=True)
    ]


def _save(picture: Image.Image, path: Path, size: tuple[int, int], kind: str) -> None:
    """A drawing in a collection's size; grey ones have a channel less, as some of VG's have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = "L" if kind.startswith("grey") else "RGB"
    picture.convert(colours).resize(size).save(path, format=kind.split()[-1])


def _write_held_out(data_dir: Path) -> None:
    """Questions of one picture in ten languages, and a bench of one picture, as published."""
    sizes = set(WorldSettings.model_fields) - {"seed"}
    world = data_dir / "world"
    build_world(world, WorldSettings(seed=SEED, **dict.fromkeys(sizes, 1)))
    for name in ("evaluation.jsonl", "images/evaluation", "bench"):
        place = data_dir / ("llava-bench-in-the-wild" if name == "bench" else name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)
        shutil.move(world / name, place)
    shutil.rmtree(world)
