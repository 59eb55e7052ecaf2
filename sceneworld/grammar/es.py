"""Spanish: gender and number agreement, "¿" and "?", the formal "usted".

Colour and size follow the noun in this order ("un círculo rojo pequeño"); "naranja" never changes.
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
    None: Noun("objeto", "objetos"),
    Shape.CIRCLE: Noun("círculo", "círculos"),
    Shape.SQUARE: Noun("cuadrado", "cuadrados"),
    Shape.TRIANGLE: Noun("triángulo", "triángulos"),
    Shape.STAR: Noun("estrella", "estrellas", feminine=True),
    Shape.HEART: Noun("corazón", "corazones"),
    Shape.CROSS: Noun("cruz", "cruces", feminine=True),
}
COLOURS = {
    Colour.RED: Adjective("rojo", "roja", "rojos", "rojas"),
    Colour.BLUE: Adjective("azul", "azul", "azules", "azules"),
    Colour.GREEN: Adjective("verde", "verde", "verdes", "verdes"),
    Colour.YELLOW: Adjective("amarillo", "amarilla", "amarillos", "amarillas"),
    Colour.ORANGE: Adjective("naranja", "naranja", "naranja", "naranja"),
    Colour.PURPLE: Adjective("morado", "morada", "morados", "moradas"),
    Colour.BLACK: Adjective("negro", "negra", "negros", "negras"),
}
SIZES = {
    Size.SMALL: Adjective("pequeño", "pequeña", "pequeños", "pequeñas"),
    Size.BIG: Adjective("grande", "grande", "grandes", "grandes"),
}
NUMBERS = {2: "dos", 3: "tres", 4: "cuatro", 5: "cinco", 6: "seis"}
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
LIST_PROMPTS = ("¿Qué ve en la imagen?", "Enumere todos los objetos de la imagen.")
DETAIL_PROMPTS = (
    "Describa la siguiente imagen.",
    "Dé una descripción detallada de la imagen.",
    "¿Qué se muestra en esta imagen?",
    "¿Puede describir la imagen con detalle?",
)


def say(message: Message) -> str:
    """The message as one Spanish sentence (or one list)."""
    text = _question(message) or _short_answer(message) or _sentence(message)
    if text is None:
        raise TypeError(f"Spanish has no sentence for {message!r}")
    return text[0].upper() + text[1:]


def _question(message: Message) -> str | None:
    match message:
        case m.AskColour(kind):
            return f"¿De qué color es {the(kind)}?"
        case m.AskShape(kind):
            return f"¿Qué forma tiene {the(kind)}?"
        case m.AskSize(kind):
            big, small = agree(SIZES[Size.BIG], kind), agree(SIZES[Size.SMALL], kind)
            return f"¿Es {big} o {small} {the(kind)}?"
        case m.AskCount(kind):
            return f"¿{how_many(kind).capitalize()} {noun_phrase(kind, plural=True)} hay?"
        case m.AskRegion(kind):
            return f"¿Dónde está {the(kind)}?"
        case m.AskExists(kind):
            return f"¿Hay {counted(1, kind)} en la imagen?"
        case m.AskSide(kind, side, other):
            return f"¿Está {the(kind)} {SIDES[side]} {of_the(other)}?"
        case m.AskList(variant):
            return LIST_PROMPTS[variant]
        case m.AskDetail(variant):
            return DETAIL_PROMPTS[variant]
        case m.AskMore(kind, other):
            return (
                f"¿Hay más {noun_phrase(kind, plural=True)} que {noun_phrase(other, plural=True)}?"
            )
        case m.AskLeft(kind):
            asked = f"{how_many(kind)} {noun_phrase(kind, plural=True)}"
            return f"si se quita {counted(1, kind)}, ¿{asked} quedan?"
        case m.AskBox(kind):
            return f"indique el cuadro delimitador {of_the(kind)}."
        case m.AskWidth(kind):
            return f"¿Qué ancho tiene {the(kind)}?"
        case m.AskLink(kind):
            return f"¿Dónde puedo leer más sobre {the_plural(kind)}?"
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
            return f"{lone_number(count, kind)}."
        case m.ShortRegion(region):
            return f"{REGIONS[region]}."
        case m.Yes():
            return "sí."
        case m.No():
            return "no."
    return None


def _sentence(message: Message) -> str | None:
    match message:
        case m.SayColour(kind, colour):
            return f"{the(kind)} es {agree(COLOURS[colour], kind)}."
        case m.SayShape(kind, shape):
            return f"{the(kind)} es {counted(1, Kind(shape))}."
        case m.SaySize(kind, size):
            return f"{the(kind)} es {agree(SIZES[size], kind)}."
        case m.SayThere(groups):
            return f"en la imagen hay {enumeration(groups)}."
        case m.SayNone(kind):
            return f"en la imagen no hay {counted(0, kind)}."
        case m.SayTotal(count):
            return f"la imagen muestra {counted(count, Kind())} en total."
        case m.SayRegion(kind, region):
            return f"{the(kind)} está {REGIONS[region]}."
        case m.SaySide(kind, side, other):
            return f"{the(kind)} está {SIDES[side]} {of_the(other)}."
        case m.SayBackground():
            return "el fondo es blanco y no se ve nada más."
        case m.SayMore(group, other, more):
            return say_more(group, other, more)
        case m.SayLeft(kind, before):
            verb = {1: "no queda", 2: "queda"}.get(before, "quedan")
            return f"hay {counted(before, kind)}, así que {verb} {counted(before - 1, kind)}."
        case m.SayBox(kind, box):
            return f"{the(kind)} está en el cuadro delimitador {box}."
        case m.SayWidth(kind, width_px):
            return f"{the(kind)} tiene {width_px} px de ancho."
        case m.SayLink(kind, url):
            return f"puede leer más sobre {the_plural(kind)} en {url} ."
        case m.SayList(groups):
            return "\n".join(f"- {counted(group.count, group.kind)}" for group in groups)
    return None


def say_more(group: Group, other: Group, more: bool) -> str:
    start = "sí, hay más" if more else "no, no hay más"
    these, those = noun_phrase(group.kind, plural=True), noun_phrase(other.kind, plural=True)
    return f"{start} {these} que {those}: {enumeration((group, other))}."


def agree(adjective: Adjective, kind: Kind, plural: bool = False) -> str:
    if NOUNS[kind.shape].feminine:
        return adjective.feminine_plural if plural else adjective.feminine
    return adjective.masculine_plural if plural else adjective.masculine


def noun_phrase(kind: Kind, plural: bool = False) -> str:
    """Noun, colour and size without an article: "estrellas rojas pequeñas"."""
    noun = NOUNS[kind.shape]
    words = [noun.plural if plural else noun.singular]
    if kind.colour is not None:
        words.append(agree(COLOURS[kind.colour], kind, plural))
    if kind.size is not None:
        words.append(agree(SIZES[kind.size], kind, plural))
    return " ".join(words)


def the(kind: Kind) -> str:
    article = "la" if NOUNS[kind.shape].feminine else "el"
    return f"{article} {noun_phrase(kind)}"


def of_the(kind: Kind) -> str:
    article = "de la" if NOUNS[kind.shape].feminine else "del"
    return f"{article} {noun_phrase(kind)}"


def the_plural(kind: Kind) -> str:
    article = "las" if NOUNS[kind.shape].feminine else "los"
    return f"{article} {noun_phrase(kind, plural=True)}"


def how_many(kind: Kind) -> str:
    return "cuántas" if NOUNS[kind.shape].feminine else "cuántos"


def lone_number(count: int, kind: Kind) -> str:
    """The number without its noun, where "un" and "ningún" have their full forms."""
    feminine = NOUNS[kind.shape].feminine
    if count == 0:
        return "ninguna" if feminine else "ninguno"
    if count == 1:
        return "una" if feminine else "uno"
    return NUMBERS[count]


def counted(count: int, kind: Kind) -> str:
    """The number and the things: "dos estrellas rojas"; 0 is "ninguna estrella roja"."""
    shortened = {"uno": "un", "ninguno": "ningún"}
    word = lone_number(count, kind)
    return f"{shortened.get(word, word)} {noun_phrase(kind, plural=count > 1)}"


def enumeration(groups: tuple[Group, ...]) -> str:
    *first, last = [counted(group.count, group.kind) for group in groups]
    return f"{', '.join(first)} y {last}" if first else last
