"""What every engine is: a stream. Requests in, results out, unordered, failures as values."""

import asyncio
import hashlib
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from palo.errors import MissingResource
from palo.files import digest, file_digest, read_json, write_json
from palo.hub import hub_json
from palo.settings import TranslatorSettings
from palo.tokenizer import load_tokenizer

Value = TypeVar("Value")

_STOP_S = 10.0  # for tasks and threads to end
_PLACEHOLDER = re.compile(r"<x\d+>")


@dataclass(frozen=True)
class Message:
    role: str  # "user" or "assistant"; a system role is not assumed
    content: str


@dataclass(frozen=True)
class Sampling:
    """temperature 0 is greedy; `seed` makes a retry reproducible."""

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """`tag` comes back with the result as it is; the engine never looks at it."""

    tag: str
    messages: tuple[Message, ...]
    sampling: Sampling
    prompt: Any = None  # vLLM's own in place of messages: token ids, a picture
    adapter_dir: Path | None = None  # of those that the engine was opened with


@dataclass(frozen=True)
class Result:
    """`error` is "" or why there is no text (prompt too long, engine died twice, ...)."""

    tag: str
    text: str
    finish_reason: str  # "stop", "length", "error"
    mean_logprob: float | None = None
    prompt_tokens: int = 0
    output_tokens: int = 0
    error: str = ""
    answered_by: str = ""  # the model that a server says it asked: an alias moves


@dataclass(frozen=True)
class Signature:
    """Everything of an engine that decides its text; the engine's kind does not (same weights)."""

    model: str
    weights: str  # revision on a hub, or a digest of the weight files
    dtype: str
    adapter: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [self.model, self.weights, self.dtype, self.adapter]
        parts += [f"{key}={value}" for key, value in sorted(self.extra.items())]
        return "|".join(part for part in parts if part)


def refused(request: Request, error: str, prompt_tokens: int = 0) -> Result:
    return Result(request.tag, "", "error", None, prompt_tokens, 0, error)


class Engine(ABC):
    """Use as a context manager: leaving it frees the model and ends every process it started."""

    kind: str
    signature: Signature

    @abstractmethod
    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        """Pulls requests as it has room for them and yields each one's result exactly once."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        return  # an engine that holds nothing has nothing to free


class AdapterEngine(Engine):
    """One adapter's share of an engine that has several (None: its model alone)."""

    def __init__(self, engine: Engine, signature: Signature, adapter_dir: Path | None) -> None:
        self.kind, self.signature = engine.kind, signature
        self._engine, self._adapter_dir = engine, adapter_dir

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        adapter_dir = self._adapter_dir
        return self._engine.stream(
            replace(request, adapter_dir=adapter_dir) for request in requests
        )


def scripted_result(request: Request) -> Result:
    """Numbers from prompt's and sampling's digest around placeholders; a question stays one."""
    prompt = request.messages[-1].content
    sampling = request.sampling
    seen = f"{prompt}\0{sampling.temperature}\0{sampling.seed}"
    drawn = hashlib.blake2b(seen.encode("utf-8"), digest_size=8).digest()
    first, second = int.from_bytes(drawn[:4], "big"), int.from_bytes(drawn[4:], "big")
    text_part = prompt.split("\nText: ")[-1]
    words = [str(first), *_PLACEHOLDER.findall(text_part), str(second)]
    words += ["?"] * text_part.rstrip().endswith("?")
    logprob = -first / 2**32
    return Result(request.tag, " ".join(words), "stop", logprob, len(prompt.split()), len(words))


class ScriptedEngine(Engine):
    """Its text is a function of the prompt: for tests of everything around an engine. Answers in
    order, `delay_s` after each request; `script` replaces what it says."""

    kind = "scripted"

    def __init__(
        self, delay_s: float = 0.0, script: Callable[[Request], Result] = scripted_result
    ) -> None:
        self.signature = Signature("scripted", "1", "none")
        self.sent = 0
        self._delay_s = delay_s
        self._script = script

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        for request in requests:
            self.sent += 1
            if self._delay_s:
                time.sleep(self._delay_s)
            yield self._script(request)


class LoopThread:
    """An event loop in a thread of its own, for libraries that have no other door."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, Value]) -> Future[Value]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self, last: Callable[[], object] | None = None) -> None:
        """Ends every task (one left pending is complained of at exit), calls `last`, and stops."""

        async def cancel_others() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        with suppress(TimeoutError):
            self.start(cancel_others()).result(_STOP_S)
        if last is not None:
            last()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_STOP_S)


@dataclass(frozen=True)
class Weights:
    """A model folder or hub id, and the LoRA adapter on it (None: none)."""

    model: str
    revision: str | None = None
    adapter_dir: Path | None = None

    @property
    def local(self) -> bool:
        return Path(self.model).is_dir() or Path(self.model).is_absolute()


_RECORD = ".weights-digest.json"
_SUFFIXES = (".safetensors", ".bin", ".json", ".model", ".jinja", ".txt")


def weights_digest(folder: Path) -> str:
    """12 hex digits over everything in a model folder that decides its text.

    Reading 15 GB again for every run would take minutes, so the digest is kept beside the files
    with their sizes and times. Raises MissingResource where there is no model.
    """
    if not (folder / "config.json").is_file() and not (folder / "adapter_config.json").is_file():
        raise MissingResource(f"No model in {folder} (no config.json there).")
    files = sorted(
        path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.name != _RECORD
    )
    seen = {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in files}
    record_path = folder / _RECORD
    if record_path.is_file():
        record = read_json(record_path)
        if record["files"] == seen:
            return str(record["digest"])
    value = digest({path.name: file_digest(path) for path in files})[:12]
    with suppress(OSError):  # a read-only model folder: the digest is worked out again next time
        write_json(record_path, {"files": seen, "digest": value})
    return value


def avoid_cudnn_attention() -> None:
    """Turns cuDNN's attention off in this process. On Hopper and Blackwell PyTorch would prefer it,
    and it plans for every shape and stride, 0.02 to 0.5 s each, and keeps all plans; texts differ
    in length."""
    import torch

    torch.backends.cuda.enable_cudnn_sdp(False)


def load_model(model: str, revision: str | None, dtype: str) -> Any:
    """A causal language model on the CPU; `dtype` is torch's name for it. Its generation config is
    the model's own where transformers would write that again."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig
    from transformers.utils import logging

    avoid_cudnn_attention()
    quiet: Any = logging  # untyped, like the loader
    quiet.disable_progress_bar()  # a bar for every tiny model would drown our own
    try:
        GenerationConfig.from_dict(_generation(model, revision)).validate(strict=True)
        writable = None
    except (TypeError, ValueError):
        writable = own_generation(model, revision)
    loader: Any = AutoModelForCausalLM
    return loader.from_pretrained(
        model, revision=revision, dtype=getattr(torch, dtype), generation_config=writable
    )


def own_generation(model: str, revision: str | None) -> Any:
    """Of the GenerationConfig that a model comes with, what it keeps when we write it."""
    return plain_generation(_generation(model, revision))


def plain_generation(stated: Mapping[str, Any]) -> Any:
    """A GenerationConfig of the tokens and the length alone: sampling is for the caller to choose.

    Published ones often say of sampling what transformers reads and then refuses to write, such as
    Vicuna's, which has a temperature without `do_sample`.
    """
    from transformers import GenerationConfig

    config: Any = GenerationConfig  # untyped
    kept = {key: stated.get(key) for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    if (kept["pad_token_id"] or 0) < 0:  # old Llamas have -1 for none
        kept["pad_token_id"] = None
    return config(**kept, max_length=stated.get("max_length"))


def _generation(model: str, revision: str | None) -> dict[str, Any]:
    """The generation config as its file has it, or what the model's config says of it."""
    return hub_json(model, revision, "generation_config.json") or hub_json(
        model, revision, "config.json"
    )


def stop_ids(model: str, revision: str | None, tokenizer: Any) -> frozenset[int]:
    """Every token that ends an answer: chat models often have more than the tokenizer's own."""
    # many models come without a generation config
    listed = hub_json(model, revision, "generation_config.json").get("eos_token_id")
    stops = listed if isinstance(listed, list) else [listed]
    return frozenset({*stops, tokenizer.eos_token_id} - {None})


def chat_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The text up to where the answer starts; the template writes all special tokens itself."""
    turns = [dict(vars(message)) for message in messages]
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)


def answer_text(tokenizer: Any, ids: Sequence[int], finish_reason: str) -> str:
    """The answer without the token that ended it; that one need not be a special token."""
    said = ids[:-1] if finish_reason == "stop" else ids
    return tokenizer.decode(said, skip_special_tokens=True)


class HostedEngine(Engine):
    """An engine that has its model on this machine: token ids in, token ids out."""

    def __init__(
        self, weights: Weights, signature: Signature, settings: TranslatorSettings
    ) -> None:
        self.signature, self._weights, self._settings = signature, weights, settings
        self._tokenizer: Any = None
        self._stops: frozenset[int] = frozenset()

    def _load_tokenizer(self) -> None:
        model, revision = self._weights.model, self._weights.revision
        self._tokenizer = load_tokenizer(model, revision)
        self._stops = stop_ids(model, revision, self._tokenizer)

    def _prompt_ids(self, request: Request) -> list[int] | Result:
        """Or the refusal, where prompt and answer are more than the model takes."""
        if request.prompt:
            ids: list[int] = request.prompt["prompt_token_ids"]
        else:
            text = chat_text(self._tokenizer, request.messages)
            ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        limit = self._settings.max_model_tokens
        if len(ids) + request.sampling.max_tokens <= limit:
            return ids
        error = f"the prompt has {len(ids)} tokens, the model takes {limit} with its answer"
        return refused(request, error, len(ids))

    def _answered(
        self, request: Request, prompt_tokens: int, ids: Sequence[int], why: str, logprob: Any
    ) -> Result:
        """`why` it ended; `logprob` is of all its tokens together, or None."""
        text = answer_text(self._tokenizer, ids, why)
        mean = logprob / len(ids) if logprob is not None and ids else None
        return Result(request.tag, text, why, mean, prompt_tokens, len(ids))
