"""The embedded engine: a Hugging Face model in this process, in batches of like length.

A row's text does not depend on its neighbours: greedy rows by construction, sampled rows because
each draws from a generator of its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from palo.engines.stream import HostedEngine, Request, Result, load_model

# So many batches are pulled at once and sorted by length: enough to make batches of like rows,
# few enough that little is in flight when a run is stopped.
_WINDOW_BATCHES = 8
# Finished rows are taken out of a running batch once they are this share of it.
_COMPACT_SHARE = 0.25


@dataclass
class _Row:
    """One request in a running batch."""

    request: Request
    prompt: list[int]
    generator: Any = None  # torch.Generator, of a row that is sampled
    output: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finish_reason: str = ""


class TransformersEngine(HostedEngine):
    """Loads its model at the first request."""

    kind = "transformers"

    _model: Any = None

    def stream(self, requests: Iterable[Request]) -> Iterator[Result]:
        source, size = iter(requests), self._settings.batch_size
        while window := list(islice(source, size * _WINDOW_BATCHES)):
            self._load()
            rows = []
            for request in window:
                ids = self._prompt_ids(request)
                if isinstance(ids, Result):
                    yield ids
                else:
                    rows.append(_Row(request, ids))
            rows.sort(key=lambda row: len(row.prompt), reverse=True)
            for start in range(0, len(rows), size):
                batch = rows[start : start + size]
                self._generate(batch)
                for row in batch:
                    why, size_in = row.finish_reason, len(row.prompt)
                    yield self._answered(row.request, size_in, row.output, why, row.logprob)

    def _load(self) -> None:
        if self._model is not None:
            return
        import torch

        self._load_tokenizer()
        model = load_model(self._weights.model, self._weights.revision, self._settings.dtype)
        if self._weights.adapter_dir is not None:
            from peft import PeftModel

            adapter = str(self._weights.adapter_dir)
            model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def _generate(self, rows: list[_Row]) -> None:
        """Writes each row's output, logprob and finish reason."""
        import torch
        from transformers import DynamicCache

        with torch.inference_mode():
            ids, mask = self._left_padded(rows)
            cache = DynamicCache(config=self._model.config)
            running = list(rows)
            while True:
                positions = mask.cumsum(-1)[:, -ids.shape[1] :] - 1
                logits = self._model(
                    input_ids=ids,
                    attention_mask=mask,
                    position_ids=positions.clamp(min=0),
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                ).logits[:, -1]
                ids = self._choose(running, logits.float())[:, None]
                left = [index for index, row in enumerate(running) if not row.finish_reason]
                if not left:
                    return
                mask = torch.cat([mask, mask.new_ones(len(running), 1)], dim=1)
                if len(running) - len(left) >= _COMPACT_SHARE * len(running):
                    keep = torch.tensor(left, device=ids.device)
                    cache.batch_select_indices(keep)
                    ids, mask = ids[keep], mask[keep]
                    running = [running[index] for index in left]

    def _left_padded(self, rows: list[_Row]) -> tuple[Any, Any]:
        """Token ids and attention mask, both (rows, longest prompt)."""
        import torch

        width = max(len(row.prompt) for row in rows)
        pad = self._tokenizer.pad_token_id
        pad = self._tokenizer.eos_token_id if pad is None else pad
        ids = [[pad] * (width - len(row.prompt)) + row.prompt for row in rows]
        mask = [[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in rows]
        device = self._model.device
        return torch.tensor(ids, device=device), torch.tensor(mask, device=device)

    def _choose(self, rows: list[_Row], logits: Any) -> Any:
        """The next token of every row (rows,); finished rows get one that nobody reads."""
        import torch

        chosen = logits.argmax(-1)
        for index, row in enumerate(rows):
            sampling = row.request.sampling
            if sampling.temperature > 0 and not row.finish_reason:
                row.generator = row.generator or torch.Generator().manual_seed(sampling.seed)
                # Gumbel-max: the same draw as softmax sampling, one row at a time
                uniform = torch.rand(logits.shape[-1], generator=row.generator).clamp(min=1e-9)
                scaled = logits[index].cpu() / sampling.temperature
                chosen[index] = (scaled - (-uniform.log()).log()).argmax()
        picked = logits.gather(-1, chosen[:, None])[:, 0] - logits.logsumexp(-1)
        for row, token, logprob in zip(rows, chosen.tolist(), picked.tolist(), strict=True):
            if row.finish_reason:
                continue
            row.output.append(token)
            row.logprob += logprob
            if token in self._stops:
                row.finish_reason = "stop"
            elif len(row.output) >= row.request.sampling.max_tokens:
                row.finish_reason = "length"
        return chosen

    def __exit__(self, *unused: object) -> None:
        self._model = None
