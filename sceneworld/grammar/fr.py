"""French: gender and number agreement, elision, contracted articles.

The size stands before the noun and the colour after it ("un petit cercle rouge"); "orange" never
changes. A plain space stands before "?" and ":".
"""

from dataclasses import dataclass

from sceneworld import messages as m
from sceneworld.messages import Colour, Group, Kind, Message, Region, Shape, Side, Size


@dataclass(frozen=True)
class Noun:
    singular: str
    plural: str
    feminine: bool = False


@dataclass(frozen=True)
class Adjective:
    masculine: str
    feminine: str
    masculine_plural: str
    feminine_plural: str


NOUNS: dict[Shape | None, Noun] = {
    None: Noun("objet", "objets"),
    Shape.CIRCLE: Noun("cercle", "cercles"),
    Shape.SQUARE: Noun("carré", "carrés"),
    Shape.TRIANGLE: Noun("triangle", "triangles"),
    Shape.STAR: Noun("étoile", "étoiles", feminine=True),
    Shape.HEART: Noun("cœur", "cœurs"),
    Shape.CROSS: Noun("croix", "croix", feminine=True),
}
COLOURS = {
    Colour.RED: Adjective("rouge", "rouge", "rouges", "rouges"),
    Colour.BLUE: Adjective("bleu", "bleue", "bleus", "bleues"),
    Colour.GREEN: Adjective("vert", "verte", "verts", "vertes"),
    Colour.YELLOW: Adjective("jaune", "jaune", "jaunes", "jaunes"),
    Colour.ORANGE: Adjective("orange", "orange", "orange", "orange"),
    Colour.PURPLE: Adjective("violet", "violette", "violets", "violettes"),
    Colour.BLACK: Adjective("noir", "noire", "noirs", "noires"),
}
SIZES = {
    Size.SMALL: Adjective("petit", "petite", "petits", "petites"),
    Size.BIG: Adjective("grand", "grande", "grands", "grandes"),
}
NUMBERS = {2: "deux", 3: "trois", 4: "quatre", 5: "cinq", 6: "six"}
REGIONS = {
    Region.TOP_LEFT: "dans le coin supérieur gauche",
    Region.TOP_RIGHT: "dans le coin supérieur droit",
    Region.BOTTOM_LEFT: "dans le coin inférieur gauche",
    Region.BOTTOM_RIGHT: "dans le coin inférieur droit",
}
SIDES = {
    Side.LEFT: "à gauche",
    Side.RIGHT: "à droite",
    Side.ABOVE: "au-dessus",
    Side.BELOW: "au-dessous",
}
LIST_PROMPTS = ("Que voyez-vous sur l'image ?", "Énumérez tous les objets présents sur l'image.")
DETAIL_PROMPTS = (
    "Décrivez l'image suivante.",
    "Donnez une description détaillée de l'image.",
    "Que montre cette image ?",
    "Pouvez-vous décrire l'image en détail ?",
)


def say(message: Message) -> str:
    """The message as one French sentence (or one list)."""
    text = _question(message) or _short_answer(message) or _sentence(message)
    if text is None:
        raise TypeError(f"French has no sentence for {message!r}")
    return text[0].upper() + text[1:]


def _question(message: Message) -> str | None:
    match message:
        case m.AskColour(kind):
            return f"de quelle couleur est {the(kind)} ?"
        case m.AskShape(kind):
            return f"quelle est la forme {of_the(kind)} ?"
        case m.AskSize(kind):
            big, small = agree(SIZES[Size.BIG], kind), agree(SIZES[Size.SMALL], kind)
            return f"{the(kind)} est-{pronoun(kind)} {big} ou {small} ?"
        case m.AskCount(kind):
            return f"combien {of_plural(kind)} y a-t-il ?"
        case m.AskRegion(kind):
            return f"où se trouve {the(kind)} ?"
        case m.AskExists(kind):
            return f"y a-t-il {counted(1, kind)} sur l'image ?"
        case m.AskSide(kind, side, other):
            return f"{the(kind)} se trouve-t-{pronoun(kind)} {SIDES[side]} {of_the(other)} ?"
        case m.AskList(variant):
            return LIST_PROMPTS[variant]
        case m.AskDetail(variant):
            return DETAIL_PROMPTS[variant]
        case m.AskMore(kind, other):
            return f"y a-t-il plus {of_plural(kind)} que {of_plural(other)} ?"
        case m.AskLeft(kind):
            return f"si l'on retire {counted(1, kind)}, combien {of_plural(kind)} reste-t-il ?"
        case m.AskBox(kind):
            return f"donnez la boîte englobante {of_the(kind)}."
        case m.AskWidth(kind):
            return f"quelle est la largeur {of_the(kind)} ?"
        case m.AskLink(kind):
            return f"où puis-je en savoir plus sur les {noun_phrase(kind, plural=True)} ?"
    return None


def _short_answer(message: Message) -> str | None:
    match message:
        case m.ShortColour(colour, kind):
            return f"{agree(COLOURS[colour], kind)}."
        case m.ShortShape(shape):
            return f"{counted(1, Kind(shape))}."
        case m.ShortSize(size, kind):
            return f"{agree(SIZES[size], kind)}."
        case m.ShortCount(count, kind):
            return f"{number(count, kind)}."
        case m.ShortRegion(region):
            return f"{REGIONS[region]}."
        case m.Yes():
            return "oui."
        case m.No():
            return "non."
    return None


def _sentence(message: Message) -> str | None:
    match message:
        case m.SayColour(kind, colour):
            return f"{the(kind)} est {agree(COLOURS[colour], kind)}."
        case m.SayShape(kind, shape):
            return f"{the(kind)} est {counted(1, Kind(shape))}."
        case m.SaySize(kind, size):
            return f"{the(kind)} est {agree(SIZES[size], kind)}."
        case m.SayThere(groups):
            return f"il y a {enumeration(groups)} sur l'image."
        case m.SayNone(kind):
            return f"il n'y a {counted(0, kind)} sur l'image."
        case m.SayTotal(count):
            return f"l'image montre {counted(count, Kind())} au total."
        case m.SayRegion(kind, region):
            return f"{the(kind)} se trouve {REGIONS[region]}."
        case m.SaySide(kind, side, other):
            return f"{the(kind)} se trouve {SIDES[side]} {of_the(other)}."
        case m.SayBackground():
            return "le fond est blanc et on ne voit rien d'autre."
        case m.SayMore(group, other, more):
            return say_more(group, other, more)
        case m.SayLeft(kind, before):
            verb = "reste" if before > 1 else "ne reste"
            return f"il y a {counted(before, kind)}, donc il {verb} {counted(before - 1, kind)}."
        case m.SayBox(kind, box):
            return f"{the(kind)} se trouve dans la boîte englobante {box}."
        case m.SayWidth(kind, width_px):
            return f"{the(kind)} fait {width_px} px de large."
        case m.SayLink(kind, url):
            topic = noun_phrase(kind, plural=True)
            return f"vous pouvez en savoir plus sur les {topic} à l'adresse {url} ."
        case m.SayList(groups):
            return "\n".join(f"- {counted(group.count, group.kind)}" for group in groups)
    return None


def say_more(group: Group, other: Group, more: bool) -> str:
    start = "oui, il y a plus" if more else "non, il n'y a pas plus"
    compared = f"{of_plural(group.kind)} que {of_plural(other.kind)}"
    return f"{start} {compared} : {enumeration((group, other))}."


def agree(adjective: Adjective, kind: Kind, plural: bool = False) -> str:
    if NOUNS[kind.shape].feminine:
        return adjective.feminine_plural if plural else adjective.feminine
    return adjective.masculine_plural if plural else adjective.masculine


def noun_phrase(kind: Kind, plural: bool = False) -> str:
    """Size, noun and colour without an article: "petites étoiles rouges"."""
    noun = NOUNS[kind.shape]
    words = [noun.plural if plural else noun.singular]
    if kind.size is not None:
        words.insert(0, agree(SIZES[kind.size], kind, plural))
    if kind.colour is not None:
        words.append(agree(COLOURS[kind.colour], kind, plural))
    return " ".join(words)


def elides(phrase: str) -> bool:
    """Whether "le", "la" and "de" lose their vowel before the phrase (étoile, objet)."""
    return phrase[0] in "éo"


def the(kind: Kind) -> str:
    phrase = noun_phrase(kind)
    if elides(phrase):
        return f"l'{phrase}"
    return f"la {phrase}" if NOUNS[kind.shape].feminine else f"le {phrase}"


def of_the(kind: Kind) -> str:
    phrase = the(kind)
    return f"du {phrase.removeprefix('le ')}" if phrase.startswith("le ") else f"de {phrase}"


def of_plural(kind: Kind) -> str:
    phrase = noun_phrase(kind, plural=True)
    return f"d'{phrase}" if elides(phrase) else f"de {phrase}"


def pronoun(kind: Kind) -> str:
    return "elle" if NOUNS[kind.shape].feminine else "il"


def number(count: int, kind: Kind) -> str:
    feminine = NOUNS[kind.shape].feminine
    if count == 0:
        return "aucune" if feminine else "aucun"
    if count == 1:
        return "une" if feminine else "un"
    return NUMBERS[count]


def counted(count: int, kind: Kind) -> str:
    """The number and the things: "deux étoiles rouges"; 0 is "aucune étoile rouge" (with "ne")."""
    return f"{number(count, kind)} {noun_phrase(kind, plural=count > 1)}"


def enumeration(groups: tuple[Group, ...]) -> str:
    *first, last = [counted(group.count, group.kind) for group in groups]
    return f"{', '.join(first)} et {last}" if first else last
