"""Spanish: gender and number agreement, "¿" and "?", the formal "usted".

Colour and size follow the noun in this order ("un círculo rojo pequeño"); "naranja" never changes.
Forms are singular and plural.
"""

from sceneworld import messages as m
from sceneworld.grammar import Sentences
from sceneworld.grammar.lexicon import Gender, Lexicon, Noun
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

LEXICON = Lexicon(
    nouns={
        None: Noun("objeto objetos"),
        Shape.CIRCLE: Noun("círculo círculos"),
        Shape.SQUARE: Noun("cuadrado cuadrados"),
        Shape.TRIANGLE: Noun("triángulo triángulos"),
        Shape.STAR: Noun("estrella estrellas", Gender.FEMININE),
        Shape.HEART: Noun("corazón corazones"),
        Shape.CROSS: Noun("cruz cruces", Gender.FEMININE),
    },
    colours={
        Colour.RED: "rojo rojos | roja rojas",
        Colour.BLUE: "azul azules",
        Colour.GREEN: "verde verdes",
        Colour.YELLOW: "amarillo amarillos | amarilla amarillas",
        Colour.ORANGE: "naranja",
        Colour.PURPLE: "morado morados | morada moradas",
        Colour.BLACK: "negro negros | negra negras",
    },
    sizes={Size.SMALL: "pequeño pequeños | pequeña pequeñas", Size.BIG: "grande grandes"},
    order=("noun", "colour", "size"),
    numbers=("ningún | ninguna", "un | una", "dos", "tres", "cuatro", "cinco", "seis"),
    joins=(", ", " y "),
)
# Without a noun after them "uno" and "ninguno" are not cut short.
LONE_NUMBERS = ("ninguno | ninguna", "uno | una", *LEXICON.numbers[2:])
REGIONS = {
    Region.TOP_LEFT: "en la esquina superior izquierda",
    Region.TOP_RIGHT: "en la esquina superior derecha",
    Region.BOTTOM_LEFT: "en la esquina inferior izquierda",
    Region.BOTTOM_RIGHT: "en la esquina inferior derecha",
}
SIDES = {
    Side.LEFT: "a la izquierda",
    Side.RIGHT: "a la derecha",
    Side.ABOVE: "por encima",
    Side.BELOW: "por debajo",
}
agree, colour_of, size_of = LEXICON.agree, LEXICON.colour, LEXICON.size
counted, listed = LEXICON.counted, LEXICON.listed


def the(kind: Kind) -> str:
    return f"{agree('el | la', kind)} {LEXICON.phrase(kind)}"


def of_the(kind: Kind) -> str:
    phrase = the(kind)
    return f"d{phrase}" if phrase.startswith("el ") else f"de {phrase}"


def plural(kind: Kind) -> str:
    return LEXICON.phrase(kind, LEXICON.plural)


def the_plural(kind: Kind) -> str:
    return f"{agree('los | las', kind)} {plural(kind)}"


def ask_size(kind: Kind) -> str:
    return f"¿Es {size_of(Size.BIG, kind)} o {size_of(Size.SMALL, kind)} {the(kind)}?"


def ask_left(kind: Kind) -> str:
    asked = f"{agree('cuántos | cuántas', kind)} {plural(kind)}"
    return f"Si se quita {counted(1, kind)}, ¿{asked} quedan?"


def say_more(group: Group, other: Group, more: bool) -> str:
    start = "Sí, hay más" if more else "No, no hay más"
    return f"{start} {plural(group.kind)} que {plural(other.kind)}: {listed((group, other))}."


def say_left(kind: Kind, before: int) -> str:
    verb = {1: "no queda", 2: "queda"}.get(before, "quedan")
    return f"Hay {counted(before, kind)}, así que {verb} {counted(before - 1, kind)}."


SENTENCES: Sentences = {
    m.AskColour: lambda kind: f"¿De qué color es {the(kind)}?",
    m.AskShape: lambda kind: f"¿Qué forma tiene {the(kind)}?",
    m.AskSize: ask_size,
    m.AskCount: lambda kind: f"¿{agree('Cuántos | Cuántas', kind)} {plural(kind)} hay?",
    m.AskRegion: lambda kind: f"¿Dónde está {the(kind)}?",
    m.AskExists: lambda kind: f"¿Hay {counted(1, kind)} en la imagen?",
    m.AskSide: lambda kind, side, other: f"¿Está {the(kind)} {SIDES[side]} {of_the(other)}?",
    m.AskList: ("¿Qué ve en la imagen?", "Enumere todos los objetos de la imagen."),
    m.AskDetail: (
        "Describa la siguiente imagen.",
        "Dé una descripción detallada de la imagen.",
        "¿Qué se muestra en esta imagen?",
        "¿Puede describir la imagen con detalle?",
    ),
    m.AskMore: lambda kind, other: f"¿Hay más {plural(kind)} que {plural(other)}?",
    m.AskLeft: ask_left,
    m.AskBox: lambda kind: f"Indique el cuadro delimitador {of_the(kind)}.",
    m.AskWidth: lambda kind: f"¿Qué ancho tiene {the(kind)}?",
    m.AskLink: lambda kind: f"¿Dónde puedo leer más sobre {the_plural(kind)}?",
    m.ShortColour: lambda colour, kind: f"{colour_of(colour, kind)}.",
    m.ShortShape: lambda shape: f"{counted(1, Kind(shape))}.",
    m.ShortSize: lambda size, kind: f"{size_of(size, kind)}.",
    m.ShortCount: lambda count, kind: f"{agree(LONE_NUMBERS[count], kind)}.",
    m.ShortRegion: lambda region: f"{REGIONS[region]}.",
    m.Yes: "Sí.",
    m.No: "No.",
    m.SayColour: lambda kind, colour: f"{the(kind)} es {colour_of(colour, kind)}.",
    m.SayShape: lambda kind, shape: f"{the(kind)} es {counted(1, Kind(shape))}.",
    m.SaySize: lambda kind, size: f"{the(kind)} es {size_of(size, kind)}.",
    m.SayThere: lambda groups: f"En la imagen hay {listed(groups)}.",
    m.SayNone: lambda kind: f"En la imagen no hay {counted(0, kind)}.",
    m.SayTotal: lambda count: f"La imagen muestra {counted(count, Kind())} en total.",
    m.SayRegion: lambda kind, region: f"{the(kind)} está {REGIONS[region]}.",
    m.SaySide: lambda kind, side, other: f"{the(kind)} está {SIDES[side]} {of_the(other)}.",
    m.SayBackground: "El fondo es blanco y no se ve nada más.",
    m.SayMore: say_more,
    m.SayLeft: say_left,
    m.SayBox: lambda kind, box: f"{the(kind)} está en el cuadro delimitador {box}.",
    m.SayWidth: lambda kind, width_px: f"{the(kind)} tiene {width_px} px de ancho.",
    m.SayLink: lambda kind, url: f"Puede leer más sobre {the_plural(kind)} en {url} .",
    m.SayList: counted,
}
