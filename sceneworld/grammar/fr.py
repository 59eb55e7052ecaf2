"""French: gender and number agreement, elision, contracted articles.

The size stands before the noun and the colour after it ("un petit cercle rouge"); "orange" never
changes. A plain space stands before "?" and ":". Forms are singular and plural.
"""

from sceneworld import messages as m
from sceneworld.grammar import Sentences
from sceneworld.grammar.lexicon import Gender, Lexicon, Noun
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

LEXICON = Lexicon(
    nouns={
        None: Noun("objet objets"),
        Shape.CIRCLE: Noun("cercle cercles"),
        Shape.SQUARE: Noun("carré carrés"),
        Shape.TRIANGLE: Noun("triangle triangles"),
        Shape.STAR: Noun("étoile étoiles", Gender.FEMININE),
        Shape.HEART: Noun("cœur cœurs"),
        Shape.CROSS: Noun("croix", Gender.FEMININE),
    },
    colours={
        Colour.RED: "rouge rouges",
        Colour.BLUE: "bleu bleus | bleue bleues",
        Colour.GREEN: "vert verts | verte vertes",
        Colour.YELLOW: "jaune jaunes",
        Colour.ORANGE: "orange",
        Colour.PURPLE: "violet violets | violette violettes",
        Colour.BLACK: "noir noirs | noire noires",
    },
    sizes={Size.SMALL: "petit petits | petite petites", Size.BIG: "grand grands | grande grandes"},
    order=("size", "noun", "colour"),
    numbers=("aucun | aucune", "un | une", "deux", "trois", "quatre", "cinq", "six"),
    joins=(", ", " et "),
)
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
agree, colour_of, size_of = LEXICON.agree, LEXICON.colour, LEXICON.size
counted, listed = LEXICON.counted, LEXICON.listed


def elides(phrase: str) -> bool:
    """Whether "le", "la" and "de" lose their vowel before the phrase (étoile, objet)."""
    return phrase[0] in "éo"


def the(kind: Kind) -> str:
    phrase = LEXICON.phrase(kind)
    return f"l'{phrase}" if elides(phrase) else f"{agree('le | la', kind)} {phrase}"


def of_the(kind: Kind) -> str:
    phrase = the(kind)
    return f"du {phrase.removeprefix('le ')}" if phrase.startswith("le ") else f"de {phrase}"


def plural(kind: Kind) -> str:
    return LEXICON.phrase(kind, LEXICON.plural)


def of_plural(kind: Kind) -> str:
    phrase = plural(kind)
    return f"d'{phrase}" if elides(phrase) else f"de {phrase}"


def ask_size(kind: Kind) -> str:
    big, small = size_of(Size.BIG, kind), size_of(Size.SMALL, kind)
    return f"{the(kind)} est-{agree('il | elle', kind)} {big} ou {small} ?"


def ask_side(kind: Kind, side: Side, other: Kind) -> str:
    return f"{the(kind)} se trouve-t-{agree('il | elle', kind)} {SIDES[side]} {of_the(other)} ?"


def say_more(group: Group, other: Group, more: bool) -> str:
    start = "Oui, il y a plus" if more else "Non, il n'y a pas plus"
    compared = f"{of_plural(group.kind)} que {of_plural(other.kind)}"
    return f"{start} {compared} : {listed((group, other))}."


def say_left(kind: Kind, before: int) -> str:
    verb = "reste" if before > 1 else "ne reste"
    return f"Il y a {counted(before, kind)}, donc il {verb} {counted(before - 1, kind)}."


SENTENCES: Sentences = {
    m.AskColour: lambda kind: f"De quelle couleur est {the(kind)} ?",
    m.AskShape: lambda kind: f"Quelle est la forme {of_the(kind)} ?",
    m.AskSize: ask_size,
    m.AskCount: lambda kind: f"Combien {of_plural(kind)} y a-t-il ?",
    m.AskRegion: lambda kind: f"Où se trouve {the(kind)} ?",
    m.AskExists: lambda kind: f"Y a-t-il {counted(1, kind)} sur l'image ?",
    m.AskSide: ask_side,
    m.AskList: (
        "Que voyez-vous sur l'image ?",
        "Énumérez tous les objets présents sur l'image.",
    ),
    m.AskDetail: (
        "Décrivez l'image suivante.",
        "Donnez une description détaillée de l'image.",
        "Que montre cette image ?",
        "Pouvez-vous décrire l'image en détail ?",
    ),
    m.AskMore: lambda kind, other: f"Y a-t-il plus {of_plural(kind)} que {of_plural(other)} ?",
    m.AskLeft: lambda kind: (
        f"Si l'on retire {counted(1, kind)}, combien {of_plural(kind)} reste-t-il ?"
    ),
    m.AskBox: lambda kind: f"Donnez la boîte englobante {of_the(kind)}.",
    m.AskWidth: lambda kind: f"Quelle est la largeur {of_the(kind)} ?",
    m.AskLink: lambda kind: f"Où puis-je en savoir plus sur les {plural(kind)} ?",
    m.ShortColour: lambda colour, kind: f"{colour_of(colour, kind)}.",
    m.ShortShape: lambda shape: f"{counted(1, Kind(shape))}.",
    m.ShortSize: lambda size, kind: f"{size_of(size, kind)}.",
    m.ShortCount: lambda count, kind: f"{agree(LEXICON.numbers[count], kind)}.",
    m.ShortRegion: lambda region: f"{REGIONS[region]}.",
    m.Yes: "Oui.",
    m.No: "Non.",
    m.SayColour: lambda kind, colour: f"{the(kind)} est {colour_of(colour, kind)}.",
    m.SayShape: lambda kind, shape: f"{the(kind)} est {counted(1, Kind(shape))}.",
    m.SaySize: lambda kind, size: f"{the(kind)} est {size_of(size, kind)}.",
    m.SayThere: lambda groups: f"Il y a {listed(groups)} sur l'image.",
    m.SayNone: lambda kind: f"Il n'y a {counted(0, kind)} sur l'image.",
    m.SayTotal: lambda count: f"L'image montre {counted(count, Kind())} au total.",
    m.SayRegion: lambda kind, region: f"{the(kind)} se trouve {REGIONS[region]}.",
    m.SaySide: lambda kind, side, other: f"{the(kind)} se trouve {SIDES[side]} {of_the(other)}.",
    m.SayBackground: "Le fond est blanc et on ne voit rien d'autre.",
    m.SayMore: say_more,
    m.SayLeft: say_left,
    m.SayBox: lambda kind, box: f"{the(kind)} se trouve dans la boîte englobante {box}.",
    m.SayWidth: lambda kind, width_px: f"{the(kind)} fait {width_px} px de large.",
    m.SayLink: lambda kind, url: (
        f"Vous pouvez en savoir plus sur les {plural(kind)} à l'adresse {url} ."
    ),
    m.SayList: counted,
}
