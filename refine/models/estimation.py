"""Quality estimation: models that give a translation a number, without a reference."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from palo.engines.stream import load_tokenizer
from palo.errors import UserError
from palo.schemas import Finding, Verdict
from palo.settings import LabseSettings, MetricxSettings
from refine.models import ModelFilter, model_folder, model_version

WORST = 25.0


class EstimationFilter(ModelFilter):
    """Asks for review where a model's number is on the wrong side of a limit."""

    @abstractmethod
    def scores(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        """One number a pair, in order."""

    @abstractmethod
    def reason(self, score: float) -> str | None:
        """Why a person should look, or None."""

    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        return [
            self.finding(Verdict.REVIEW, reason, score) if (reason := self.reason(score)) else None
            for score in self.scores(texts)
        ]


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

    def __init__(self, settings: LabseSettings) -> None:
        super().__init__()
        self._settings = settings

    def inputs(self) -> list[object]:
        model = self._settings
        version = model_version(model.model, model.revision)
        return [self.name, version, model.min_similarity, model.dtype, model.max_tokens]

    def reason(self, score: float) -> str | None:
        if score >= self._settings.min_similarity:
            return None
        return f"similarity {score:.2f} to the English"

    def scores(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        import torch

        unique = list(dict.fromkeys(text for pair in texts for text in pair))
        places = {text: at for at, text in enumerate(unique)}
        points = torch.stack(_in_batches(unique, self._settings.batch_size, self._embedded))
        left = points[[places[english] for english, _ in texts]]
        right = points[[places[target] for _, target in texts]]
        cosines: list[float] = (left * right).sum(-1).tolist()
        return cosines

    def _embedded(self, texts: Sequence[str]) -> Any:
        """Normalised points, float32 on the CPU."""
        import torch

        tokenizer, model, dense = self._loaded
        batch = tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=self._settings.max_tokens,
            return_tensors="pt",
        ).to(model.device)
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
    """The layer after pooling, which sentence-transformers keeps in a folder of its own; or None,
    and the model's own pooler does the same."""
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

    def __init__(self, settings: MetricxSettings) -> None:
        super().__init__()
        self._settings = settings

    def inputs(self) -> list[object]:
        model = self._settings
        return [
            self.name,
            model_version(model.model, model.revision),
            model.max_score,
            model.dtype,
            model_version(model.tokenizer, model.tokenizer_revision),
            model.max_input_tokens,
            model.score_token,
        ]

    def reason(self, score: float) -> str | None:
        if score <= self._settings.max_score:
            return None
        return f"error score {score:.1f} of {WORST:.0f}"

    def scores(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        tokenizer, _ = self._loaded
        ids = [
            tokenizer(
                f"source: {english} candidate: {target}",
                truncation=True,
                max_length=self._settings.max_input_tokens,
            )["input_ids"]
            for english, target in texts
        ]
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
            said = model(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                decoder_input_ids=start,
                use_cache=False,
            )
        raw = said.logits[:, 0, self._settings.score_token].float()
        scores: list[float] = raw.clamp(0.0, WORST).tolist()
        return scores

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
