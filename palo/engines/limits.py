"""How long an answer may be: the tokens of its English, times what its language takes of them.

    answer_limit("bn", settings).tokens(text, prompt)

One number for all would cut Bengali, which takes up to five times as many tokens as English, or let
a French answer run in circles for long. What a language takes is measured with the translator's own
tokenizer on parallel.tsv (30 pairs a language of Tatoeba, CC-BY 2.0 FR; within 7% of what all 515
to 1,000 gold pairs give, with two tokenizers).
"""

from collections import defaultdict
from functools import cache, cached_property, lru_cache
from math import ceil
from pathlib import Path
from typing import Any

from palo.engines.stream import Message, chat_text
from palo.files import digest, file_digest
from palo.hub import cached_snapshot
from palo.settings import TranslatorSettings
from palo.tokenizer import load_tokenizer

_PAIRS = Path(__file__).with_name("parallel.tsv")
_RULES = "1"  # raise when an equal text would get another limit
MARGIN = 2.0  # times the usual length: of 8,515 gold pairs one is longer
FLOOR = 128
# Without a tokenizer, as with a server: on gold English has 3.8 to 4.1 characters a token; the
# others' tokens for one of English are those of a byte-level vocabulary of 100,000.
_CHARS_A_TOKEN = 4.0
_ASSUMED = {
    **{"es": 1.27, "fr": 1.46, "zh": 1.58, "ru": 1.98, "ja": 2.04},
    **{"ar": 2.44, "ur": 4.14, "hi": 4.26, "bn": 4.87},
}
_BYTES_A_TOKEN = 3.0  # of a prompt in any script
_TEMPLATE_TOKENS = 64  # that a chat template adds
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")


class AnswerLimit:
    """The longest answers of one language and translator, the same for every engine. `max_tokens`
    of the settings, where it is set, stands for all."""

    def __init__(self, lang: str, settings: TranslatorSettings) -> None:
        self.lang, self._settings = lang, settings

    def tokens(self, text: str, prompt: str) -> int:
        """For the English `text`, as `prompt` asks for it: twice the usual length of its
        translation, and no more than the model's context has room for. Where not even the usual
        length fits, the engine is to refuse: an answer cut short would be of no use."""
        if self._settings.max_tokens is not None:
            return self._settings.max_tokens
        usual = self.factor * max(1, self._count(text))
        wanted = max(FLOOR, ceil(MARGIN * usual))
        most = self._settings.max_model_tokens
        if self._template_tokens + len(prompt.encode()) + wanted <= most:
            return wanted  # no text has more tokens than bytes
        room = most - self._prompt_tokens(prompt)
        return wanted if room < usual else min(wanted, room)

    @cached_property
    def factor(self) -> float:
        """Tokens of a translation for one of its English; of a language without pairs, the most
        that another one takes."""
        if self._tokenizer is None:
            return _ASSUMED.get(self.lang, max(_ASSUMED.values()))
        pairs = _pairs()
        measured = {
            lang: sum(self._count(target) for _, target in rows)
            / sum(self._count(english) for english, _ in rows)
            for lang, rows in pairs.items()
            if lang == self.lang or self.lang not in pairs
        }
        return max(measured.values())

    @property
    def counted_by(self) -> str:
        """Whose tokens they are, for people."""
        if self._tokenizer is None:
            return "estimated: no tokenizer here"
        return f"tokenizer of {self._settings.model}"

    @property
    def rule(self) -> str:
        """How long answers may be, for people."""
        if self._settings.max_tokens is not None:
            return f"An answer may have {self._settings.max_tokens} (max_tokens)."
        return f"An answer may have {MARGIN:g} times as many, {FLOOR} at least."

    @cached_property
    def _tokenizer(self) -> Any:
        folder = _tokenizer_dir(self._settings)
        return None if folder is None else _loaded(folder)

    @cached_property
    def _template_tokens(self) -> int:
        return _TEMPLATE_TOKENS if self._tokenizer is None else self._prompt_tokens("a")

    def _count(self, text: str) -> int:
        if self._tokenizer is None:
            return ceil(len(text) / _CHARS_A_TOKEN)
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _prompt_tokens(self, prompt: str) -> int:
        if self._tokenizer is None:
            return _TEMPLATE_TOKENS + ceil(len(prompt.encode()) / _BYTES_A_TOKEN)
        return self._count(chat_text(self._tokenizer, [Message("user", prompt)]))


@lru_cache(maxsize=32)
def answer_limit(lang: str, settings: TranslatorSettings) -> AnswerLimit:
    return AnswerLimit(lang, settings)


def limit_version(settings: TranslatorSettings, is_served: bool = False) -> str:
    """What decides limits, for an engine's signature: `max_tokens`, or a digest of the rules. Of a
    server's model (`is_served`) the signature knows no files, so the tokenizer's are in it."""
    if settings.max_tokens is not None:
        return str(settings.max_tokens)
    rules: list[Any] = [_RULES, MARGIN, FLOOR, file_digest(_PAIRS)]
    if is_served:
        folder = _tokenizer_dir(settings)
        names = _VOCABULARIES if folder else ()
        paths = [folder / name for name in names if folder and (folder / name).is_file()]
        rules.append({path.name: file_digest(path) for path in paths} or "characters")
    return f"by-text-{digest(rules)[:8]}"


def _tokenizer_dir(settings: TranslatorSettings) -> Path | None:
    """The folder on this machine that has the model's tokenizer; nothing is fetched for it."""
    folder = Path(settings.model)
    if not folder.is_dir():
        cached = cached_snapshot(settings.model, settings.revision)
        if cached is None:
            return None
        folder = cached
    return folder if any((folder / name).is_file() for name in _VOCABULARIES) else None


@lru_cache(maxsize=2)
def _loaded(folder: Path) -> Any:
    return load_tokenizer(str(folder), local_files_only=True)


@cache
def _pairs() -> dict[str, list[tuple[str, str]]]:
    """English and translation, by language."""
    pairs = defaultdict(list)
    for line in _PAIRS.read_text("utf-8").rstrip("\n").split("\n")[1:]:
        lang, english, translation = line.split("\t")
        pairs[lang].append((english, translation))
    return dict(pairs)
