"""What Hindi and Urdu share: gender, number and case of noun phrases; words and script differ."""

from collections.abc import Mapping
from dataclasses import dataclass

from sceneworld.messages import Colour, Group, Kind, Shape, Size


@dataclass(frozen=True)
class Noun:
    """A noun's four forms; oblique is the form before a postposition."""

    singular: str
    oblique: str
    plural: str
    oblique_plural: str
    feminine: bool = False


@dataclass(frozen=True)
class Adjective:
    """An agreeing word: masculine, masculine plural or oblique, feminine."""

    masculine: str
    masculine_other: str
    feminine: str


@dataclass(frozen=True)
class Lexicon:
    """The words of one language; `numbers` begins at one, `join` is (comma, and) with spaces."""

    shapes: Mapping[Shape | None, Noun]
    colours: Mapping[Colour, Adjective]
    sizes: Mapping[Size, Adjective]
    numbers: tuple[str, ...]
    join: tuple[str, str]

    def feminine(self, kind: Kind) -> bool:
        """Whether the kind's noun is feminine."""
        return self.shapes[kind.shape].feminine

    def agree(
        self, word: Adjective, kind: Kind, *, plural: bool = False, oblique: bool = False
    ) -> str:
        """The form of an adjective (or genitive, or participle) that goes with a kind."""
        if self.feminine(kind):
            return word.feminine
        return word.masculine_other if plural or oblique else word.masculine

    def phrase(self, kind: Kind, *, plural: bool = False, oblique: bool = False) -> str:
        """Size, colour and noun, all in the same number and case."""
        noun = self.shapes[kind.shape]
        direct = noun.plural if plural else noun.singular
        before_postposition = noun.oblique_plural if plural else noun.oblique
        adjectives = []
        if kind.size is not None:
            adjectives.append(self.sizes[kind.size])
        if kind.colour is not None:
            adjectives.append(self.colours[kind.colour])
        words = [self.agree(word, kind, plural=plural, oblique=oblique) for word in adjectives]
        return " ".join([*words, before_postposition if oblique else direct])

    def counted(self, count: int, kind: Kind) -> str:
        """Number and phrase, in the direct case."""
        return f"{self.numbers[count - 1]} {self.phrase(kind, plural=count > 1)}"

    def listed(self, groups: tuple[Group, ...]) -> str:
        """Groups in one phrase: A, B and C."""
        comma, conjunction = self.join
        *first, last = [self.counted(group.count, group.kind) for group in groups]
        return conjunction.join([comma.join(first), last]) if first else last
