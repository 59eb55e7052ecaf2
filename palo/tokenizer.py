"""Tokenizers as their models were trained with them.

transformers 5 reads a Llama's in another way than the versions that trained on it did:

- from a `tokenizer.model` alone it joins pieces by their numbers, not by SentencePiece's scores, so
  a run of blanks becomes other tokens (Vicuna-1.5 and MobileLLaMA come with nothing else);
- a byte-level vocabulary under a Llama's name is cut as if it were SentencePiece's;
- where `legacy` is missing it takes it for false, transformers 4 took it for true;
- with `legacy: false` (Vicuna-1.5) `USER` after `</s>` becomes one piece of its own, where
  transformers 4.31, which PALO and LLaVA-1.5 were trained with, cut the blank off the pieces that a
  text of its own has: `US`, `ER`.

What is read here says all of it in the fast tokenizer itself, and what is written is that: a
generic tokenizer, which transformers 4 and 5 both take as it is.
"""

import copy
import json
import re
from pathlib import Path
from typing import Any

from palo.files import read_json
from palo.hub import hub_file, hub_json

_BLANK = "▁"  # SentencePiece's
_NEXT_ROUND = "USER:"  # all that vicuna_v1 ever writes after an end token


def load_tokenizer(
    model: str, revision: str | None = None, config_dir: Path | None = None, **loading: Any
) -> Any:
    """The tokenizer of a folder or of the hub. Raises what transformers raises. `config_dir`: where
    its model's config.json lies, if not beside it."""
    from transformers import AutoTokenizer, LlamaTokenizer, PreTrainedTokenizerFast

    loader: Any = AutoTokenizer  # transformers' classes are untyped
    tokenizer = _placeless(loader.from_pretrained(model, revision=revision, **loading))
    if isinstance(tokenizer, LlamaTokenizer) and tokenizer.add_prefix_space is not False:
        local = bool(loading.get("local_files_only"))
        stored = hub_json(model, revision, "tokenizer.json", local_files_only=local)
        if stored and not stored["model"].get("byte_fallback"):  # a Llama's by its name alone
            generic: Any = PreTrainedTokenizerFast
            return _placeless(generic.from_pretrained(model, revision=revision, **loading))
        config_at = (str(config_dir), None) if config_dir else (model, revision)
        config = hub_json(*config_at, "config.json", local_files_only=local)
        by_version_5 = re.match(r"([5-9]|\d\d)\.", str(config.get("transformers_version")))
        _as_trained(tokenizer, model, revision, not by_version_5, local_files_only=local)
    return tokenizer


def _placeless(tokenizer: Any) -> Any:
    """Without what transformers would write of how it was found on this machine."""
    for key in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(key, None)
    return tokenizer


def as_written(tokenizer: Any) -> Any:
    """A copy to be saved, which adds no start token of its own.

    Chat templates write it into the text. Servers tokenise what the template gives as it is,
    clients of a processor do not: with a start token in both they would have two.
    """
    from transformers import LlamaTokenizer, PreTrainedTokenizerFast

    written = copy.deepcopy(tokenizer)
    written.add_bos_token = False
    if not isinstance(written, LlamaTokenizer):
        return written
    generic: Any = PreTrainedTokenizerFast
    kept = [
        *("bos_token", "eos_token", "unk_token", "pad_token", "extra_special_tokens"),
        *("model_max_length", "padding_side", "clean_up_tokenization_spaces", "legacy"),
    ]
    told = {name: getattr(written, name) for name in kept}
    return generic(tokenizer_object=written.backend_tokenizer, add_bos_token=False, **told)


def for_transformers_4(folder: Path) -> None:
    """Mends what transformers 5 has written into a model's folder and 4 reads wrong, or not at all,
    and takes out where the parts of the model lay on this machine.

    Its name for a generic tokenizer, its list of special tokens, and where rotary embeddings say
    their base: 4.57 takes 10,000 for it where `rope_theta` is missing, without a word.
    """
    path = folder / "tokenizer_config.json"
    if path.is_file():
        told = read_json(path)
        if told.get("tokenizer_class") == "TokenizersBackend":
            told["tokenizer_class"] = "PreTrainedTokenizerFast"
        if special := told.pop("extra_special_tokens", None):
            told["additional_special_tokens"] = special
        told["add_bos_token"] = False
        _write(path, told)
    path = folder / "config.json"
    if path.is_file():
        _write(path, _portable(read_json(path)))


def _write(path: Path, told: dict[str, Any]) -> None:
    path.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _portable(config: dict[str, Any]) -> dict[str, Any]:
    """The fields of transformers 4 beside those of 5, in the config and in its sections."""
    config = {
        key: _portable(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key != "_name_or_path"
    }
    rope = config.get("rope_parameters")
    if isinstance(rope, dict) and "rope_theta" in rope:
        config["rope_theta"] = rope["rope_theta"]
        kind = {key: value for key, value in rope.items() if key != "rope_theta"}
        config["rope_scaling"] = None if kind.get("rope_type", "default") == "default" else kind
    return config


def _as_trained(
    tokenizer: Any, model: str, revision: str | None, legacy: bool, **looking: Any
) -> None:
    """`legacy`: what its version of transformers takes where the config says nothing of it."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers

    told = json.loads(tokenizer.backend_tokenizer.to_str())
    stated = hub_json(model, revision, "tokenizer_config.json", **looking).get("legacy")
    legacy = legacy if stated is None else bool(stated)
    tokenizer.legacy = tokenizer.init_kwargs["legacy"] = legacy
    pieces = hub_file(model, revision, "tokenizer.model", **looking)
    if pieces is not None and hub_file(model, revision, "tokenizer.json", **looking) is None:
        told["model"]["merges"] = _merges(str(pieces))
    for token in told["added_tokens"]:
        token["normalized"] = False  # else `<s>` is looked for behind a blank
    backend = Tokenizer.from_str(json.dumps(told))
    backend.pre_tokenizer = None
    # a blank before every text, and before what follows a special token
    steps = [normalizers.Prepend(_BLANK), normalizers.Replace(" ", _BLANK)]
    backend.normalizer = normalizers.Sequence(steps)
    if not legacy:
        first = backend.encode(_NEXT_ROUND, add_special_tokens=False).tokens[0]
        rule = Regex(rf"\A{_BLANK}{_NEXT_ROUND}")
        backend.normalizer = normalizers.Sequence([*steps, normalizers.Replace(rule, _NEXT_ROUND)])
        if start := first.removeprefix(_BLANK):
            rest = _NEXT_ROUND.removeprefix(start)
            cut = Regex(rf"\A{re.escape(start)}(?={re.escape(rest)})")
            backend.pre_tokenizer = pre_tokenizers.Split(cut, "isolated")
    tokenizer._tokenizer = backend


def _merges(path: str) -> list[tuple[str, str]]:
    """Which pieces join to one, the likeliest first, by SentencePiece's scores."""
    from sentencepiece import SentencePieceProcessor
    from transformers.tokenization_utils_base import generate_merges

    pieces = SentencePieceProcessor(model_file=path)
    names = [pieces.id_to_piece(number) for number in range(pieces.get_piece_size())]
    scores = {name: pieces.get_score(number) for number, name in enumerate(names)}
    merges: Any = generate_merges
    return merges({name: n for n, name in enumerate(names)}, scores)
