"""MetricX-24 as quality estimation: a learnt error score without a reference."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from palo.errors import UserError
from palo.schemas import Finding, Verdict
from palo.settings import MetricxSettings
from refine.models.column import ColumnFilter
from refine.models.weights import device, model_folder

WORST = 25.0


class MetricxFilter(ColumnFilter):
    """MetricX-24-Hybrid (Juraska et al. 2024, aclanthology.org/2024.wmt-1.35).

    An mT5 whose score is the logit of one token in the first step of its decoder, within 0 (best)
    and 25. The default limit of 5 is what MQM counts for one major error; calibrate it on verified
    pairs, because short answers and each language have levels of their own.
    """

    name = "metricx"
    about = "MetricX-24 expects major errors"

    def __init__(self, settings: MetricxSettings) -> None:
        self._settings = settings

    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        limit = self._settings.max_score
        return [
            self.finding(Verdict.REVIEW, f"error score {score:.1f} of {WORST:.0f}", score)
            if score > limit
            else None
            for score in self.scores(texts)
        ]

    def scores(self, texts: Sequence[tuple[str, str]]) -> list[float]:
        """Error scores, one a pair, in order."""
        tokenizer, _ = self._loaded
        limit = self._settings.max_input_tokens
        # without the end token, as the models were trained
        ids = [
            tokenizer(
                f"source: {english} candidate: {target}",
                truncation=True,
                max_length=limit,
            )["input_ids"]
            for english, target in texts
        ]
        end = tokenizer.eos_token_id
        ids = [one[:-1] if one[-1:] == [end] else one for one in ids]
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        found = [0.0] * len(ids)
        for start in range(0, len(order), self._settings.batch_size):
            part = order[start : start + self._settings.batch_size]
            for at, score in zip(part, self._score([ids[at] for at in part]), strict=True):
                found[at] = score
        return found

    def _score(self, ids: Sequence[list[int]]) -> list[float]:
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
        import torch
        from transformers import AutoTokenizer
        from transformers.utils import logging

        quiet: Any = logging
        quiet.disable_progress_bar()
        settings = self._settings
        tokenizers: Any = AutoTokenizer
        model, said = model_class().from_pretrained(
            model_folder(settings.model, settings.revision),
            dtype=getattr(torch, settings.dtype),
            output_loading_info=True,
        )
        missing = {key for key in said["missing_keys"] if "embed_tokens" not in key}
        if missing or settings.score_token >= model.config.vocab_size:
            lacks = ", ".join(sorted(missing)[:3]) or f"a token {settings.score_token}"
            raise UserError(f"{settings.model} is no MetricX model: it lacks {lacks}.")
        folder = model_folder(settings.tokenizer, settings.tokenizer_revision)
        return tokenizers.from_pretrained(folder), model.to(device()).eval()


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
