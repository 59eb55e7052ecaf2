"""What decides the translation of a segment: language, prompt, engine signature, sampling."""

from dataclasses import dataclass

from palo.engines.stream import Request, Sampling
from palo.memory import machine_key
from palo.settings.translate import TranslatorSettings
from palo.shards import digest
from translate.prompt import Prompt
from translate.segments import Segment

_VALIDATION_RULES = "1"  # raise when other answers would pass, so that segments are asked again


@dataclass(frozen=True)
class Job:
    """One language with one engine; equal jobs give equal memory keys."""

    lang: str
    prompt: Prompt
    signature: str
    settings: TranslatorSettings

    @property
    def version(self) -> str:
        """Of prompt and validation, for the memory key."""
        return f"{self.prompt.version}.{_VALIDATION_RULES}"

    @property
    def inputs(self) -> dict[str, str]:
        """What a TRANSLATED shard is made from, besides its source shard and its entries."""
        parts = [self.lang, self.signature, self.version, self.settings.context]
        return {"job": digest(parts)}

    def key(self, segment: Segment) -> bytes:
        return machine_key(self.signature, self.version, self.lang, segment.text, segment.context)

    def request(self, segment: Segment, key: bytes, attempt: int) -> Request:
        """The first attempt (0) is greedy; each retry samples with a seed of its own."""
        settings = self.settings
        sampling = Sampling(settings.max_tokens)
        if attempt:
            seed = int.from_bytes(key[:4], "big") // 2 + attempt  # below 2^31 for every engine
            sampling = Sampling(settings.max_tokens, settings.retry_temperature, seed)
        return Request(key.hex(), self.prompt.messages(segment.text, segment.context), sampling)
