"""Settings of the translate stage: source, translator, engines."""

from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from palo.settings.model import Section


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
    careless_share: float = Field(default=0.9, ge=0, le=1)  # of its text (translate/rough.py)
    seed: int = 7


class FinetuneSettings(Section):
    """Supervised fine-tune of the translator on verified segments (`palo translator train`)."""

    lora_rank: int = 0  # 0: all weights
    lora_alpha: int = 32
    epochs: float = 4.0
    batch_size: int = 32
    learning_rate: float = 5e-4
    held_out_share: float = Field(default=0.15, gt=0, lt=1)
    seed: int = 7


class TranslatorSettings(Section):
    """The translation LLM: a Hugging Face id or a folder, and how it is asked."""

    model: str
    revision: str | None = None
    licence: str = ""
    finetuned_dir: Path  # where `palo translator train` writes, and translate looks first
    dtype: str = "float32"
    engine: EngineKind = EngineKind.TRANSFORMERS
    context: Context = Context.SOURCE
    glossary_dir: Path | None = None  # `<lang>.csv` files with columns english, translation
    max_tokens: int = 512
    max_model_tokens: int = 4096
    max_attempts: int = Field(default=3, ge=1)
    retry_temperature: float = 0.7
    batch_size: int = 32  # transformers engine
    max_num_seqs: int = 64  # vllm engine, for each model at work
    gpu_memory_utilization: float = 0.9
    tensor_parallel_size: int = Field(default=1, ge=1)  # GPUs that share one model
    data_parallel_size: int = Field(default=1, ge=1)  # models side by side (vllm engine)
    stall_timeout_s: float = 300.0
    seed_samples: int = 1000  # how many samples `palo translator seed` picks
    server: ServerSettings = ServerSettings()  # openai engine
    ray: RaySettings = RaySettings()  # ray engine
    standin: StandinTranslatorSettings | None = None
    finetune: FinetuneSettings = FinetuneSettings()
