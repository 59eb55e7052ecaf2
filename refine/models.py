"""Optional filters that ask a model; all off until `refine.models` in pipelines.yaml names them.

The judge and the way back into English ask a language model behind any engine; LaBSE and MetricX
give a translation a number, without a reference.
"""

import atexit
import json
import re
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from palo.checks.structure import without_frame
from palo.engines.open import open_engine, signature
from palo.engines.stream import (
    Engine,
    Message,
    Request,
    Sampling,
    Weights,
    avoid_cudnn_attention,
    weights_digest,
)
from palo.errors import MissingResource, UserError
from palo.files import digest, file_digest, read_yaml
from palo.hub import cached_snapshot
from palo.languages import info
from palo.schemas import Finding, TurnStatus, Verdict
from palo.settings import (
    AskedModel,
    BackTranslationSettings,
    EngineKind,
    LabseSettings,
    MetricxSettings,
)
from palo.tokenizer import load_tokenizer
from refine.filters import Filter, TurnPair, quoted

# Nothing to ask a model: no translation there is, or a person has the last word.
_NOT_ASKED = frozenset({TurnStatus.COPIED, TurnStatus.FAILED, TurnStatus.VERIFIED})
_FENCE = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL)
_REASON_CHARS = 200
_WORST = 25.0  # of MetricX


class ModelFilter(Filter):
    """Judges a column at once, because a model is faster on many pairs than on one.

    Equal pairs are asked about once; pairs without words never. The first pair loads the model.
    """

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    @abstractmethod
    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        """One finding (or None) a pair of English and translation, in order."""

    @abstractmethod
    def inputs(self) -> list[object]:
        """What decides the findings. Raises MissingResource for weights that are not here."""

    def judge(self, pairs: Sequence[TurnPair], lang: str) -> list[Finding | None]:
        asked = [
            (without_frame(pair.source), without_frame(pair.target))
            if pair.status not in _NOT_ASKED and pair.source_words and pair.target_words
            else None
            for pair in pairs
        ]
        texts = list(dict.fromkeys(filter(None, asked)))
        findings = dict(zip(texts, self.judge_texts(texts, lang), strict=True)) if texts else {}
        return [findings[text] if text else None for text in asked]


def model_folder(model: str, revision: str | None) -> Path:
    """A folder as it is, or a hub model's in the local cache. Raises MissingResource."""
    if Path(model).is_dir():
        return Path(model)
    folder = None if Path(model).is_absolute() else cached_snapshot(model, revision)
    if folder is None:
        wanted = f" --revision {revision}" if revision else ""
        raise MissingResource(
            f"Model {model} of refine.models is not on this machine. Run `hf download "
            f"{model}{wanted}`, or take the filter out of pipelines.yaml."
        )
    return folder


def model_version(model: str, revision: str | None) -> str:
    """The commit of a hub model, or a digest of a folder's files."""
    folder = model_folder(model, revision)
    if not Path(model).is_dir():
        return folder.name
    parts = [path for path in sorted(folder.glob("*/*")) if path.is_file()]
    return digest([weights_digest(folder), *map(file_digest, parts)])


@cache
def prompts() -> dict[str, str]:
    """What models are asked, by filter."""
    return dict(read_yaml(__file__, "prompts.yaml"))


class AskingFilter(ModelFilter):
    """Keeps the engine from the first question on; `engine` is one that somebody else closes."""

    _settings: AskedModel

    def __init__(self, settings: AskedModel, engine: Engine | None = None) -> None:
        super().__init__(settings)
        self._engine = engine

    @abstractmethod
    def heard(self, answer: str, english: str) -> Finding | None:
        """What a whole answer finds."""

    def inputs(self) -> list[object]:
        """The weights where they are here, else the name on the server."""
        asked, server = self._settings, self._settings.server
        if asked.engine.loads_weights:
            weights = Weights(asked.model, asked.revision)
            return [self.name, str(signature(weights, asked.for_engine()))]
        if asked.engine is EngineKind.OPENAI:
            name = server.model or asked.model
            return [self.name, f"{server.base_url}|{name}|{server.version}|{asked.max_tokens}"]
        return [self.name, str(asked.engine)]

    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        """Raises UserError or MissingResource where the engine as a whole cannot be used."""
        sampling, language = Sampling(self._settings.max_tokens), info(lang).name
        requests = []
        for at, (english, target) in enumerate(texts):
            # quoted as JSON, so that no text can end its own quotation
            pair = json.dumps({"english": english, "translation": target}, ensure_ascii=False)
            prompt = prompts()[self.name].format(language=language, target=target, pair=pair)
            requests.append(Request(str(at), (Message("user", prompt),), sampling))
        if self._engine is None:
            settings = self._settings.for_engine()
            weights = Weights(settings.model, settings.revision)
            stack = ExitStack()
            self._engine = stack.enter_context(open_engine(settings.engine, weights, settings))
            atexit.register(stack.close)
        answers = {answer.tag: answer for answer in self._engine.stream(requests)}
        findings: list[Finding | None] = []
        for at, (english, _) in enumerate(texts):
            answer = answers.get(str(at))
            if answer is None:
                findings.append(self.not_judged("the engine gave no answer"))
            elif answer.error:
                findings.append(self.not_judged(answer.error))
            elif answer.finish_reason == "length":
                findings.append(self.not_judged("the answer was cut off at max_tokens"))
            elif not answer.text.strip():
                findings.append(self.not_judged("the answer is empty"))
            else:
                findings.append(self.heard(answer.text, english))
        return findings

    def not_judged(self, why: str) -> Finding:
        """What a model could not judge is a person's matter; it never passes."""
        return self.finding(Verdict.REVIEW, f"could not be judged: {why}")


class BackTranslationFilter(AskingFilter):
    """sacrebleu's sentence chrF (Popović 2015; 0 to 100) of the way back against the English.

    Two good translations differ in words, so only a low score says anything; the default of 30 is
    no published figure and must be calibrated on verified pairs, for each engine.
    """

    name = "back_translation"
    about = "translated back into English, it says something else"
    _settings: BackTranslationSettings

    def inputs(self) -> list[object]:
        return [*super().inputs(), self._settings.min_chrf]

    def heard(self, answer: str, english: str) -> Finding | None:
        from sacrebleu.metrics.chrf import CHRF

        back = answer.strip()
        score = CHRF().sentence_score(back, [english]).score
        if score >= self._settings.min_chrf:
            return None
        said = f"back in English it reads {quoted(back, 80)} (chrF {score:.0f})"
        return self.finding(Verdict.REVIEW, said, score)


Grade = StrEnum("Grade", "GOOD MINOR MAJOR")


class Opinion(BaseModel):
    """What the judge must answer: this object alone."""

    verdict: Grade
    reason: str = ""


class JudgeFilter(AskingFilter):
    """A model alone rejects nothing: major is review, minor a note.

    Whatever is not the one JSON object that was asked for is review: an answer that a text under
    judgement talked the model into must not pass.
    """

    name = "judge"
    about = "a language model finds that the meaning is not kept"

    def heard(self, answer: str, english: str) -> Finding | None:
        opinion = parse_opinion(answer)
        if opinion is None:
            return self.not_judged(f"the judge answered {quoted(answer, 80)}")
        if opinion.verdict is Grade.GOOD:
            return None
        verdict = Verdict.NOTE if opinion.verdict is Grade.MINOR else Verdict.REVIEW
        said = quoted(opinion.reason, _REASON_CHARS)[1:-1] or "no reason was given"
        return self.finding(verdict, f"{opinion.verdict}: {said}")


def parse_opinion(answer: str) -> Opinion | None:
    """The one JSON object, bare or in a code fence; None for anything else."""
    text = answer.strip()
    if fenced := _FENCE.match(text):
        text = fenced.group(1)
    try:
        return Opinion.model_validate(json.loads(text))
    except (ValueError, RecursionError):
        return None


class EstimationFilter(ModelFilter):
    """Asks for review where a model's number is on the wrong side of a limit."""

    @abstractmethod
    def scores(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        """One number a pair, in order."""

    @abstractmethod
    def reason(self, score: float) -> str | None:
        """Why a person should look, or None."""

    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        told = ((score, self.reason(score)) for score in self.scores(texts))
        return [self.finding(Verdict.REVIEW, why, score) if why else None for score, why in told]


def _in_batches(
    items: Sequence[Any], size: int, judged: Callable[[Sequence[Any]], Sequence[Any]]
) -> list[Any]:
    """One result an item, in order; items of like length together, so that little is padding."""
    order = sorted(range(len(items)), key=lambda at: len(items[at]))
    results: list[Any] = [None] * len(items)
    for start in range(0, len(order), size):
        part = order[start : start + size]
        for at, result in zip(part, judged([items[at] for at in part]), strict=True):
            results[at] = result
    return results


def _load(loader: Any, folder: Path, dtype: str) -> tuple[Any, set[str]]:
    """The model, on the GPU where there is one, and the weights that the folder lacks."""
    import torch
    from transformers.utils import logging

    avoid_cudnn_attention()
    quiet: Any = logging  # untyped
    quiet.disable_progress_bar()
    kind = getattr(torch, dtype)
    model, said = loader.from_pretrained(folder, dtype=kind, output_loading_info=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval(), set(said["missing_keys"])


class LabseFilter(EstimationFilter):
    """LaBSE (Feng et al. 2022, arXiv 2007.01852), cosine of normalised embeddings.

    The default of 0.45 is set low, to catch swapped rows and little else; it is no published
    figure. Short answers lie lower than sentences: calibrate it on verified pairs.
    """

    name = "labse"
    about = "English and translation lie far apart in LaBSE's space"
    _settings: LabseSettings

    def inputs(self) -> list[object]:
        asked = self._settings
        version = model_version(asked.model, asked.revision)
        return [self.name, version, asked.min_similarity, asked.dtype, asked.max_tokens]

    def reason(self, score: float) -> str | None:
        low = score < self._settings.min_similarity
        return f"similarity {score:.2f} to the English" if low else None

    def scores(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        import torch

        unique = list(dict.fromkeys(text for pair in texts for text in pair))
        places = {text: at for at, text in enumerate(unique)}
        points = torch.stack(_in_batches(unique, self._settings.batch_size, self._embedded))
        left = points[[places[english] for english, _ in texts]]
        right = points[[places[target] for _, target in texts]]
        return (left * right).sum(-1).tolist()

    def _embedded(self, texts: Sequence[str]) -> Any:
        """Normalised points, float32 on the CPU."""
        import torch

        tokenizer, model, dense = self._loaded
        cut = {"truncation": True, "max_length": self._settings.max_tokens}
        batch = tokenizer(texts, padding=True, return_tensors="pt", **cut).to(model.device)
        with torch.inference_mode():
            said = model(**batch)
            pooled = said.pooler_output
            if dense:
                pooled = torch.tanh(dense(said.last_hidden_state[:, 0]))
            return torch.nn.functional.normalize(pooled.float(), dim=-1).cpu()

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any]:
        from transformers import AutoModel

        folder = model_folder(self._settings.model, self._settings.revision)
        model, _ = _load(AutoModel, folder, self._settings.dtype)
        dense = _dense(folder / "2_Dense")
        dense = dense and dense.to(model.device, model.dtype)
        return load_tokenizer(str(folder), None), model, dense


def _dense(folder: Path) -> Any:
    """The layer after pooling, in a folder of its own; None where the model pools as well."""
    import torch
    from safetensors.torch import load_file

    safe, pickled = folder / "model.safetensors", folder / "pytorch_model.bin"
    if safe.is_file():
        weights = load_file(safe)
    elif pickled.is_file():
        weights = torch.load(pickled, weights_only=True, map_location="cpu")
    else:
        return None
    out_features, in_features = weights["linear.weight"].shape
    layer = torch.nn.Linear(in_features, out_features)
    layer.load_state_dict({name: weights[f"linear.{name}"] for name in ("weight", "bias")})
    return layer.eval()


class MetricxFilter(EstimationFilter):
    """MetricX-24-Hybrid (Juraska et al. 2024, aclanthology.org/2024.wmt-1.35): a learnt score.

    An mT5 whose score is the logit of one token in the first step of its decoder, within 0 (best)
    and 25. The default limit of 5 is what MQM counts for one major error; calibrate it on verified
    pairs, because short answers and each language have levels of their own.
    """

    name = "metricx"
    about = "MetricX-24 expects major errors"
    _settings: MetricxSettings

    def inputs(self) -> list[object]:
        asked = self._settings
        version = model_version(asked.model, asked.revision)
        tokenizer = model_version(asked.tokenizer, asked.tokenizer_revision)
        limits = [asked.max_input_tokens, asked.score_token]
        return [self.name, version, asked.max_score, asked.dtype, tokenizer, *limits]

    def reason(self, score: float) -> str | None:
        high = score > self._settings.max_score
        return f"error score {score:.1f} of {_WORST:.0f}" if high else None

    def scores(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        tokenizer, _ = self._loaded
        lines = [f"source: {english} candidate: {target}" for english, target in texts]
        cut = {"truncation": True, "max_length": self._settings.max_input_tokens}
        ids = [tokenizer(line, **cut)["input_ids"] for line in lines]
        # without the end token, as the models were trained
        end = [tokenizer.eos_token_id]
        ids = [row[:-1] if row[-1:] == end else row for row in ids]
        return _in_batches(ids, self._settings.batch_size, self._scored)

    def _scored(self, ids: Sequence[list[int]]) -> list[float]:
        import torch

        tokenizer, model = self._loaded
        batch = tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(model.device)
        start = torch.zeros((len(ids), 1), dtype=torch.long, device=model.device)
        with torch.inference_mode():
            said = model(**batch, decoder_input_ids=start, use_cache=False)
        return said.logits[:, 0, self._settings.score_token].float().clamp(0.0, _WORST).tolist()

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        settings = self._settings
        folder = model_folder(settings.model, settings.revision)
        model, missing = _load(model_class(), folder, settings.dtype)
        missing = {key for key in missing if "embed_tokens" not in key}
        if missing or settings.score_token >= model.config.vocab_size:
            lacks = ", ".join(sorted(missing)[:3]) or f"a token {settings.score_token}"
            raise UserError(f"{settings.model} is no MetricX model: it lacks {lacks}.")
        folder = model_folder(settings.tokenizer, settings.tokenizer_revision)
        return load_tokenizer(str(folder), None), model


def model_class() -> Any:
    """mT5 with a head of its own.

    The published class, MT5ForRegression, has mT5's modules and names, but its head was trained
    apart from the embeddings, and transformers 5 ties the two whatever the config says.
    """
    from transformers import MT5ForConditionalGeneration

    parent: Any = MT5ForConditionalGeneration  # untyped

    class UntiedMT5(parent):
        _tied_weights_keys = {
            "encoder.embed_tokens.weight": "shared.weight",
            "decoder.embed_tokens.weight": "shared.weight",
        }

    return UntiedMT5
