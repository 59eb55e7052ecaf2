"""English and translation as points in one space: far apart, they do not mean the same."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from palo.schemas import Finding, Verdict
from palo.settings import LabseSettings
from refine.models.column import ColumnFilter
from refine.models.weights import device, model_folder


class LabseFilter(ColumnFilter):
    """LaBSE (Feng et al. 2022, arXiv 2007.01852), cosine of normalised embeddings.

    The default of 0.45 is set low, to catch swapped rows and little else; it is no published
    figure. Short answers lie lower than sentences: calibrate it on verified pairs.
    """

    name = "labse"
    about = "English and translation lie far apart in LaBSE's space"

    def __init__(self, settings: LabseSettings) -> None:
        self._settings = settings

    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        scores = self.similarities(texts)
        return [
            self.finding(Verdict.REVIEW, f"similarity {score:.2f} to the English", score)
            if score < self._settings.min_similarity
            else None
            for score in scores
        ]

    def similarities(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        """Cosines, one a pair, in order."""
        unique = list(dict.fromkeys(text for pair in texts for text in pair))
        places = {text: at for at, text in enumerate(unique)}
        points = self._embed(unique)
        left = points[[places[english] for english, _ in texts]]
        right = points[[places[target] for _, target in texts]]
        cosines: list[float] = (left * right).sum(-1).tolist()
        return cosines

    def _embed(self, texts: Sequence[str]) -> Any:
        """Texts of like length together, so that little is padding; float32 on the CPU."""
        import torch

        tokenizer, model, dense = self._loaded
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        points: list[Any] = [None] * len(texts)
        for start in range(0, len(order), self._settings.batch_size):
            part = order[start : start + self._settings.batch_size]
            batch = tokenizer(
                [texts[at] for at in part],
                padding=True,
                truncation=True,
                max_length=self._settings.max_tokens,
                return_tensors="pt",
            ).to(model.device)
            with torch.inference_mode():
                said = model(**batch)
                first = said.last_hidden_state[:, 0]
                pooled = torch.tanh(dense(first)) if dense else said.pooler_output
                rows = torch.nn.functional.normalize(pooled.float(), dim=-1).cpu()
            for at, row in zip(part, rows, strict=True):
                points[at] = row
        return torch.stack(points)

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any]:
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        quiet: Any = logging
        quiet.disable_progress_bar()
        folder = model_folder(self._settings.model, self._settings.revision)
        loader: Any = AutoModel
        tokenizers: Any = AutoTokenizer
        kind = getattr(torch, self._settings.dtype)
        model = loader.from_pretrained(folder, dtype=kind).to(device()).eval()
        dense = _dense(folder / "2_Dense", kind)
        return tokenizers.from_pretrained(folder), model, dense and dense.to(model.device)


def _dense(folder: Path, kind: Any) -> Any:
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
    return layer.to(kind).eval()
