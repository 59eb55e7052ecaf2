"""What decides the translation of a segment: language, prompt, engine signature, sampling."""

from dataclasses import dataclass
from functools import cached_property

from palo.engines.stream import Request, Sampling
from palo.files import digest
from palo.memory import machine_key
from palo.settings import TranslatorSettings
from translate.glossary import NO_GLOSSARY, Glossary, Term, load_glossary
from translate.prompt import Prompt, load_prompt
from translate.segments import Segment
from translate.validate import Problem

_VALIDATION_RULES = "2"  # raise when other answers would pass, so that segments are asked again


@dataclass(frozen=True)
class Job:
    """One language with one engine; equal jobs give equal memory keys."""

    lang: str
    prompt: Prompt
    signature: str
    settings: TranslatorSettings
    glossary: Glossary = NO_GLOSSARY

    @classmethod
    def of(cls, lang: str, signature: str, settings: TranslatorSettings) -> "Job":
        """With the language's prompt and glossary; raises UserError where one is broken."""
        glossary = load_glossary(settings.glossary_dir, lang)
        return cls(lang, load_prompt(lang), signature, settings, glossary)

    @cached_property  # every key asks for it
    def version(self) -> str:
        """Of prompt and validation, for the memory key."""
        return f"{self.prompt.version}.{_VALIDATION_RULES}"

    @property
    def inputs(self) -> dict[str, str]:
        """What a TRANSLATED shard is made from, besides its source shard and its entries."""
        parts = [self.lang, self.signature, self.version, self.settings.context]
        return {"job": digest(parts)}

    def key(self, segment: Segment) -> bytes:
        before = segment.before
        more = [f"shown {before.shown}"] if before.shown else []
        if self.glossary.terms:
            more += [f"{term.english} = {term.translation}" for term in self._terms(segment)]
        return machine_key(
            self.signature, self.version, self.lang, segment.text, before.english, *more
        )

    def request(
        self, segment: Segment, key: bytes, attempt: int, wrong: Problem | None = None
    ) -> Request:
        """The first attempt (0) is greedy; each retry samples with a seed of its own, and says
        what was `wrong` with the answer before it."""
        settings = self.settings
        sampling = Sampling(settings.max_tokens)
        if attempt:
            seed = int.from_bytes(key[:4], "big") // 2 + attempt  # below 2^31 for every engine
            sampling = Sampling(settings.max_tokens, settings.retry_temperature, seed)
        before = segment.before
        messages = self.prompt.messages(
            segment.text, before.shown or before.english, self._terms(segment), wrong or ""
        )
        return Request(key.hex(), messages, sampling)

    def _terms(self, segment: Segment) -> tuple[Term, ...]:
        return self.glossary.found_in(segment.text)
