"""The prompt of a segment: the same words for translating, pretraining and fine-tuning.

The instruction of a language is data (`prompts/<lang>.yaml`), what all share is in
`prompts/rules.yaml`. The fixed instruction comes first, then context, then text.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from palo.engines.stream import Message
from palo.errors import UserError
from palo.shards import digest

PROMPTS_DIR = Path(__file__).parent / "prompts"
# A question of this length says enough about the answer's gender and number; its tail counts most.
MAX_CONTEXT_CHARS = 2000


@dataclass(frozen=True)
class Prompt:
    """How one language is asked for; `version` changes when any word of it does."""

    lang: str
    instruction: str
    context_label: str
    text_label: str

    @property
    def version(self) -> str:
        parts = [self.instruction, self.context_label, self.text_label, MAX_CONTEXT_CHARS]
        return digest(parts)[:12]

    @property
    def fixed_parts(self) -> tuple[str, ...]:
        """What stands in every prompt; a stand-in's tokenizer holds each as one token."""
        return (self.instruction, self.context_label, self.text_label)

    def render(self, text: str, context: str) -> str:
        before = f"{self.context_label}{context[-MAX_CONTEXT_CHARS:]}" if context else ""
        return f"{self.instruction}{before}{self.text_label}{text}"

    def messages(self, text: str, context: str) -> tuple[Message, ...]:
        return (Message("user", self.render(text, context)),)


@cache
def load_prompt(lang: str) -> Prompt:
    """Raises UserError where the language has no prompt file."""
    shared = _read("rules")
    own = _read(lang)
    task = str(shared["task"]).format(language=own["language"])
    return Prompt(
        lang, f"{task} {own['rules']}", str(shared["context_label"]), str(shared["text_label"])
    )


def _read(name: str) -> dict[str, Any]:
    path = PROMPTS_DIR / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"No prompt for language '{name}': write {path}.")
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content
