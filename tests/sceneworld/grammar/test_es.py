"""Spanish sentences, exact: proof-read, so a change here needs a reason."""

import pytest

from sceneworld import messages as m
from sceneworld.grammar.es import say
from sceneworld.messages import Colour, Group, Kind, Message, Region, Shape, Side, Size

THING = Kind()
RED_THING = Kind(colour=Colour.RED)
BIG_ORANGE_THING = Kind(None, Colour.ORANGE, Size.BIG)
CIRCLE = Kind(Shape.CIRCLE)
SMALL_CIRCLE = Kind(Shape.CIRCLE, size=Size.SMALL)
RED_CIRCLE = Kind(Shape.CIRCLE, Colour.RED)
SQUARE = Kind(Shape.SQUARE)
BIG_GREEN_SQUARE = Kind(Shape.SQUARE, Colour.GREEN, Size.BIG)
STAR = Kind(Shape.STAR)
BLUE_STAR = Kind(Shape.STAR, Colour.BLUE)
SMALL_PURPLE_STAR = Kind(Shape.STAR, Colour.PURPLE, Size.SMALL)
BIG_ORANGE_HEART = Kind(Shape.HEART, Colour.ORANGE, Size.BIG)
BLACK_CROSS = Kind(Shape.CROSS, Colour.BLACK)
BOX = "[0.25, 0.00, 0.50, 0.25]"
URL = "https://example.org/shapes/star"

SENTENCES: list[tuple[Message, str]] = [
    (m.AskColour(SMALL_CIRCLE), "¿De qué color es el círculo pequeño?"),
    (m.AskShape(RED_THING), "¿Qué forma tiene el objeto rojo?"),
    (m.AskShape(BIG_ORANGE_THING), "¿Qué forma tiene el objeto naranja grande?"),
    (m.AskSize(RED_CIRCLE), "¿Es grande o pequeño el círculo rojo?"),
    (m.AskSize(BLUE_STAR), "¿Es grande o pequeña la estrella azul?"),
    (m.AskCount(SMALL_PURPLE_STAR), "¿Cuántas estrellas moradas pequeñas hay?"),
    (m.AskCount(BIG_ORANGE_HEART), "¿Cuántos corazones naranja grandes hay?"),
    (m.AskCount(BLACK_CROSS), "¿Cuántas cruces negras hay?"),
    (m.AskCount(THING), "¿Cuántos objetos hay?"),
    (m.AskRegion(SMALL_PURPLE_STAR), "¿Dónde está la estrella morada pequeña?"),
    (m.AskExists(BIG_ORANGE_HEART), "¿Hay un corazón naranja grande en la imagen?"),
    (m.AskExists(SMALL_PURPLE_STAR), "¿Hay una estrella morada pequeña en la imagen?"),
    (
        m.AskSide(RED_CIRCLE, Side.LEFT, BIG_GREEN_SQUARE),
        "¿Está el círculo rojo a la izquierda del cuadrado verde grande?",
    ),
    (
        m.AskSide(BLUE_STAR, Side.RIGHT, BLACK_CROSS),
        "¿Está la estrella azul a la derecha de la cruz negra?",
    ),
    (
        m.AskSide(BLACK_CROSS, Side.BELOW, RED_THING),
        "¿Está la cruz negra por debajo del objeto rojo?",
    ),
    (m.AskList(0), "¿Qué ve en la imagen?"),
    (m.AskList(1), "Enumere todos los objetos de la imagen."),
    (m.AskDetail(0), "Describa la siguiente imagen."),
    (m.AskDetail(3), "¿Puede describir la imagen con detalle?"),
    (m.AskMore(CIRCLE, STAR), "¿Hay más círculos que estrellas?"),
    (m.AskLeft(BLUE_STAR), "Si se quita una estrella azul, ¿cuántas estrellas azules quedan?"),
    (
        m.AskLeft(BIG_ORANGE_HEART),
        "Si se quita un corazón naranja grande, ¿cuántos corazones naranja grandes quedan?",
    ),
    (m.AskBox(SMALL_PURPLE_STAR), "Indique el cuadro delimitador de la estrella morada pequeña."),
    (m.AskWidth(BIG_ORANGE_THING), "¿Qué ancho tiene el objeto naranja grande?"),
    (m.AskLink(BIG_ORANGE_THING), "¿Dónde puedo leer más sobre los objetos naranja grandes?"),
    (m.AskLink(THING), "¿Dónde puedo leer más sobre los objetos?"),
    (m.ShortColour(Colour.GREEN, BLUE_STAR), "Verde."),
    (m.ShortColour(Colour.BLUE, BIG_ORANGE_HEART), "Azul."),
    (m.ShortShape(Shape.STAR), "Una estrella."),
    (m.ShortSize(Size.SMALL, BLUE_STAR), "Pequeña."),
    (m.ShortCount(0, RED_CIRCLE), "Ninguno."),
    (m.ShortCount(0, BLUE_STAR), "Ninguna."),
    (m.ShortCount(1, RED_CIRCLE), "Uno."),
    (m.ShortCount(1, BLUE_STAR), "Una."),
    (m.ShortCount(1, BIG_ORANGE_HEART), "Uno."),
    (m.ShortCount(2, RED_CIRCLE), "Dos."),
    (m.ShortCount(2, BLUE_STAR), "Dos."),
    (m.ShortCount(5, BIG_ORANGE_HEART), "Cinco."),
    (m.ShortRegion(Region.TOP_LEFT), "En la esquina superior izquierda."),
    (
        m.SayColour(Kind(Shape.STAR, size=Size.SMALL), Colour.PURPLE),
        "La estrella pequeña es morada.",
    ),
    (m.SayShape(RED_THING, Shape.STAR), "El objeto rojo es una estrella."),
    (m.SaySize(BLUE_STAR, Size.BIG), "La estrella azul es grande."),
    (m.SayThere((Group(1, BLUE_STAR),)), "En la imagen hay una estrella azul."),
    (m.SayThere((Group(2, RED_CIRCLE),)), "En la imagen hay dos círculos rojos."),
    (m.SayThere((Group(2, BLUE_STAR),)), "En la imagen hay dos estrellas azules."),
    (
        m.SayThere((Group(3, SMALL_PURPLE_STAR),)),
        "En la imagen hay tres estrellas moradas pequeñas.",
    ),
    (m.SayThere((Group(4, BLACK_CROSS),)), "En la imagen hay cuatro cruces negras."),
    (m.SayThere((Group(5, RED_CIRCLE),)), "En la imagen hay cinco círculos rojos."),
    (
        m.SayThere((Group(6, BLUE_STAR), Group(2, BIG_ORANGE_HEART))),
        "En la imagen hay seis estrellas azules y dos corazones naranja grandes.",
    ),
    (
        m.SayThere((Group(1, RED_CIRCLE), Group(2, BLUE_STAR), Group(3, BIG_ORANGE_HEART))),
        "En la imagen hay un círculo rojo, dos estrellas azules y tres corazones naranja grandes.",
    ),
    (m.SayNone(SMALL_PURPLE_STAR), "En la imagen no hay ninguna estrella morada pequeña."),
    (m.SayTotal(1), "La imagen muestra un objeto en total."),
    (m.SayTotal(2), "La imagen muestra dos objetos en total."),
    (m.SayTotal(5), "La imagen muestra cinco objetos en total."),
    (
        m.SayRegion(BLUE_STAR, Region.BOTTOM_RIGHT),
        "La estrella azul está en la esquina inferior derecha.",
    ),
    (
        m.SaySide(BLUE_STAR, Side.ABOVE, BIG_GREEN_SQUARE),
        "La estrella azul está por encima del cuadrado verde grande.",
    ),
    (m.SayBackground(), "El fondo es blanco y no se ve nada más."),
    (
        m.SayMore(Group(3, CIRCLE), Group(1, SQUARE), True),
        "Sí, hay más círculos que cuadrados: tres círculos y un cuadrado.",
    ),
    (
        m.SayMore(Group(1, STAR), Group(2, SQUARE), False),
        "No, no hay más estrellas que cuadrados: una estrella y dos cuadrados.",
    ),
    (m.SayLeft(BLUE_STAR, 1), "Hay una estrella azul, así que no queda ninguna estrella azul."),
    (m.SayLeft(RED_CIRCLE, 2), "Hay dos círculos rojos, así que queda un círculo rojo."),
    (m.SayLeft(RED_CIRCLE, 3), "Hay tres círculos rojos, así que quedan dos círculos rojos."),
    (m.SayLeft(BLACK_CROSS, 6), "Hay seis cruces negras, así que quedan cinco cruces negras."),
    (
        m.SayBox(RED_CIRCLE, BOX),
        "El círculo rojo está en el cuadro delimitador [0.25, 0.00, 0.50, 0.25].",
    ),
    (m.SayWidth(BLUE_STAR, 48), "La estrella azul tiene 48 px de ancho."),
    (
        m.SayLink(STAR, URL),
        "Puede leer más sobre las estrellas en https://example.org/shapes/star .",
    ),
    (
        m.SayList((Group(1, RED_CIRCLE), Group(2, SMALL_PURPLE_STAR), Group(5, BLACK_CROSS))),
        "- un círculo rojo\n- dos estrellas moradas pequeñas\n- cinco cruces negras",
    ),
]


@pytest.mark.parametrize(("message", "text"), SENTENCES)
def test_spanish_sentence_is_exact(message: Message, text: str) -> None:
    assert say(message) == text
