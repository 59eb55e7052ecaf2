"""Words that agree: the noun of a phrase decides which form of every other word stands there.

A word is written as its forms with a space between them; those for feminine, then for neuter nouns
come after a bar: `bleu bleus | bleue bleues`. Where fewer are written, the last stands for the
rest: `orange` never changes. What the forms are, numbers or cases, is a matter of each grammar.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple

from sceneworld.grammar import joined
from sceneworld.messages import Colour, Group, Kind, Shape, Size


class Gender(IntEnum):
    MASCULINE = 0
    FEMININE = 1
    NEUTER = 2


class Noun(NamedTuple):
    forms: str
    gender: Gender = Gender.MASCULINE


@dataclass(frozen=True)
class Lexicon:
    """The words of one language, and the order in which a phrase has them.

    `numbers` and what follows are for languages that count with a plural form, whatever the number.
    """

    nouns: Mapping[Shape | None, Noun]
    colours: Mapping[Colour, str]
    sizes: Mapping[Size, str]
    order: tuple[Literal["size", "colour", "noun"], ...] = ("size", "colour", "noun")
    numbers: tuple[str, ...] = ()  # from 0
    plural: int = 1
    joins: tuple[str, str] = ("", "")  # comma and conjunction, with their spaces

    def gender(self, kind: Kind) -> Gender:
        return self.nouns[kind.shape].gender

    def agree(self, word: str, kind: Kind, form: int = 0) -> str:
        """The form of an adjective, an article or a verb that goes with the kind."""
        genders = word.split("|")
        return _form(genders[min(self.gender(kind), len(genders) - 1)], form)

    def colour(self, colour: Colour, kind: Kind) -> str:
        return self.agree(self.colours[colour], kind)

    def size(self, size: Size, kind: Kind) -> str:
        return self.agree(self.sizes[size], kind)

    def words(self, kind: Kind, form: int = 0, adjective_form: int | None = None) -> list[str]:
        """Noun and adjectives in order; the adjectives in the noun's form if none is given."""
        other_form = form if adjective_form is None else adjective_form
        words = {"noun": _form(self.nouns[kind.shape].forms, form)}
        if kind.size is not None:
            words["size"] = self.agree(self.sizes[kind.size], kind, other_form)
        if kind.colour is not None:
            words["colour"] = self.agree(self.colours[kind.colour], kind, other_form)
        return [words[part] for part in self.order if part in words]

    def phrase(self, kind: Kind, form: int = 0, adjective_form: int | None = None) -> str:
        return " ".join(self.words(kind, form, adjective_form))

    def counted(self, count: int, kind: Kind) -> str:
        """The number and the things."""
        number = self.agree(self.numbers[count], kind)
        return f"{number} {self.phrase(kind, self.plural if count > 1 else 0)}"

    def listed(self, groups: tuple[Group, ...]) -> str:
        return joined([self.counted(group.count, group.kind) for group in groups], *self.joins)


def _form(forms: str, form: int) -> str:
    written = forms.split()
    return written[min(form, len(written) - 1)]
