"""The prompt of a segment: the same words for translating, pretraining and fine-tuning.

The instruction of a language is data (`prompts/<lang>.yaml`), what all share is in
`prompts/rules.yaml`. What never changes comes first, then context, terms, a note on what was wrong
with the last answer, and the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from palo.engines.stream import Message
from palo.errors import UserError
from palo.files import digest
from translate.context import MAX_CONTEXT_CHARS
from translate.glossary import Term

PROMPTS_DIR = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Labels:
    """What introduces the parts of a prompt."""

    context: str
    terms: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """How one language is asked for; `version` changes when any word of it does."""

    lang: str
    instruction: str
    labels: Labels
    notes: dict[str, str]  # by what was wrong with the last answer

    @cached_property
    def version(self) -> str:
        labels = self.labels
        parts = [self.instruction, labels.context, labels.terms, labels.text]
        return digest([*parts, sorted(self.notes.items()), MAX_CONTEXT_CHARS])[:12]

    @property
    def fixed_parts(self) -> tuple[str, ...]:
        """What stands in prompts word for word; a stand-in's tokenizer holds each as one token."""
        labels = self.labels
        return (self.instruction, labels.context, labels.terms, labels.text, *self.notes.values())

    def render(self, text: str, context: str, terms: Sequence[Term] = (), wrong: str = "") -> str:
        """`wrong` names what was wrong with the last answer, "" at the first attempt."""
        parts = [self.instruction]
        if context:
            parts += [self.labels.context, context]
        if terms:
            pairs = "; ".join(f"{term.english} = {term.translation}" for term in terms)
            parts += [self.labels.terms, pairs]
        return "".join([*parts, self.notes.get(wrong, ""), self.labels.text, text])

    def messages(
        self, text: str, context: str, terms: Sequence[Term] = (), wrong: str = ""
    ) -> tuple[Message, ...]:
        return (Message("user", self.render(text, context, terms, wrong)),)


@cache
def load_prompt(lang: str) -> Prompt:
    """Raises UserError where the language has no prompt file."""
    shared = _read("rules")
    own = _read(lang)
    task = str(shared["task"]).format(language=own["language"])
    return Prompt(
        lang,
        f"{task} {own['rules']}",
        Labels(**shared["labels"]),
        {wrong: f"\n{note}" for wrong, note in shared["notes"].items()},
    )


def _read(name: str) -> dict[str, Any]:
    path = PROMPTS_DIR / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"No prompt for language '{name}': write {path}.")
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content
