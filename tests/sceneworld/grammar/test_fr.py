"""French sentences, exact: proof-read, so a change here needs a reason."""

import pytest

from sceneworld import messages as m
from sceneworld.grammar.fr import say
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
    (m.AskColour(SMALL_CIRCLE), "De quelle couleur est le petit cercle ?"),
    (m.AskShape(RED_THING), "Quelle est la forme de l'objet rouge ?"),
    (m.AskShape(BIG_ORANGE_THING), "Quelle est la forme du grand objet orange ?"),
    (m.AskSize(RED_CIRCLE), "Le cercle rouge est-il grand ou petit ?"),
    (m.AskSize(BLUE_STAR), "L'étoile bleue est-elle grande ou petite ?"),
    (m.AskCount(SMALL_PURPLE_STAR), "Combien de petites étoiles violettes y a-t-il ?"),
    (m.AskCount(BIG_ORANGE_HEART), "Combien de grands cœurs orange y a-t-il ?"),
    (m.AskCount(BLACK_CROSS), "Combien de croix noires y a-t-il ?"),
    (m.AskCount(THING), "Combien d'objets y a-t-il ?"),
    (m.AskRegion(SMALL_PURPLE_STAR), "Où se trouve la petite étoile violette ?"),
    (m.AskExists(BIG_ORANGE_HEART), "Y a-t-il un grand cœur orange sur l'image ?"),
    (m.AskExists(SMALL_PURPLE_STAR), "Y a-t-il une petite étoile violette sur l'image ?"),
    (
        m.AskSide(RED_CIRCLE, Side.LEFT, BIG_GREEN_SQUARE),
        "Le cercle rouge se trouve-t-il à gauche du grand carré vert ?",
    ),
    (
        m.AskSide(BLUE_STAR, Side.RIGHT, BLACK_CROSS),
        "L'étoile bleue se trouve-t-elle à droite de la croix noire ?",
    ),
    (
        m.AskSide(BLACK_CROSS, Side.BELOW, RED_THING),
        "La croix noire se trouve-t-elle au-dessous de l'objet rouge ?",
    ),
    (m.AskList(0), "Que voyez-vous sur l'image ?"),
    (m.AskList(1), "Énumérez tous les objets présents sur l'image."),
    (m.AskDetail(0), "Décrivez l'image suivante."),
    (m.AskDetail(3), "Pouvez-vous décrire l'image en détail ?"),
    (m.AskMore(CIRCLE, STAR), "Y a-t-il plus de cercles que d'étoiles ?"),
    (
        m.AskLeft(BLUE_STAR),
        "Si l'on retire une étoile bleue, combien d'étoiles bleues reste-t-il ?",
    ),
    (
        m.AskLeft(BIG_ORANGE_HEART),
        "Si l'on retire un grand cœur orange, combien de grands cœurs orange reste-t-il ?",
    ),
    (m.AskBox(SMALL_PURPLE_STAR), "Donnez la boîte englobante de la petite étoile violette."),
    (m.AskWidth(BIG_ORANGE_THING), "Quelle est la largeur du grand objet orange ?"),
    (m.AskLink(BIG_ORANGE_THING), "Où puis-je en savoir plus sur les grands objets orange ?"),
    (m.AskLink(THING), "Où puis-je en savoir plus sur les objets ?"),
    (m.ShortColour(Colour.GREEN, BLUE_STAR), "Verte."),
    (m.ShortColour(Colour.BLUE, BIG_ORANGE_HEART), "Bleu."),
    (m.ShortShape(Shape.STAR), "Une étoile."),
    (m.ShortSize(Size.SMALL, BLUE_STAR), "Petite."),
    (m.ShortCount(0, RED_CIRCLE), "Aucun."),
    (m.ShortCount(0, BLUE_STAR), "Aucune."),
    (m.ShortCount(1, RED_CIRCLE), "Un."),
    (m.ShortCount(1, BLUE_STAR), "Une."),
    (m.ShortCount(1, BIG_ORANGE_HEART), "Un."),
    (m.ShortCount(2, RED_CIRCLE), "Deux."),
    (m.ShortCount(2, BLUE_STAR), "Deux."),
    (m.ShortCount(5, BIG_ORANGE_HEART), "Cinq."),
    (m.ShortRegion(Region.TOP_LEFT), "Dans le coin supérieur gauche."),
    (
        m.SayColour(Kind(Shape.STAR, size=Size.SMALL), Colour.PURPLE),
        "La petite étoile est violette.",
    ),
    (m.SayShape(RED_THING, Shape.STAR), "L'objet rouge est une étoile."),
    (m.SaySize(BLUE_STAR, Size.BIG), "L'étoile bleue est grande."),
    (m.SayThere((Group(1, BLUE_STAR),)), "Il y a une étoile bleue sur l'image."),
    (m.SayThere((Group(2, RED_CIRCLE),)), "Il y a deux cercles rouges sur l'image."),
    (m.SayThere((Group(2, BLUE_STAR),)), "Il y a deux étoiles bleues sur l'image."),
    (
        m.SayThere((Group(3, SMALL_PURPLE_STAR),)),
        "Il y a trois petites étoiles violettes sur l'image.",
    ),
    (m.SayThere((Group(4, BLACK_CROSS),)), "Il y a quatre croix noires sur l'image."),
    (m.SayThere((Group(5, RED_CIRCLE),)), "Il y a cinq cercles rouges sur l'image."),
    (
        m.SayThere((Group(6, BLUE_STAR), Group(2, BIG_ORANGE_HEART))),
        "Il y a six étoiles bleues et deux grands cœurs orange sur l'image.",
    ),
    (
        m.SayThere((Group(1, RED_CIRCLE), Group(2, BLUE_STAR), Group(3, BIG_ORANGE_HEART))),
        "Il y a un cercle rouge, deux étoiles bleues et trois grands cœurs orange sur l'image.",
    ),
    (m.SayNone(SMALL_PURPLE_STAR), "Il n'y a aucune petite étoile violette sur l'image."),
    (m.SayTotal(1), "L'image montre un objet au total."),
    (m.SayTotal(2), "L'image montre deux objets au total."),
    (m.SayTotal(5), "L'image montre cinq objets au total."),
    (
        m.SayRegion(BLUE_STAR, Region.BOTTOM_RIGHT),
        "L'étoile bleue se trouve dans le coin inférieur droit.",
    ),
    (
        m.SaySide(BLUE_STAR, Side.ABOVE, BIG_GREEN_SQUARE),
        "L'étoile bleue se trouve au-dessus du grand carré vert.",
    ),
    (m.SayBackground(), "Le fond est blanc et on ne voit rien d'autre."),
    (
        m.SayMore(Group(3, CIRCLE), Group(1, SQUARE), True),
        "Oui, il y a plus de cercles que de carrés : trois cercles et un carré.",
    ),
    (
        m.SayMore(Group(1, STAR), Group(2, SQUARE), False),
        "Non, il n'y a pas plus d'étoiles que de carrés : une étoile et deux carrés.",
    ),
    (m.SayLeft(BLUE_STAR, 1), "Il y a une étoile bleue, donc il ne reste aucune étoile bleue."),
    (m.SayLeft(RED_CIRCLE, 2), "Il y a deux cercles rouges, donc il reste un cercle rouge."),
    (m.SayLeft(RED_CIRCLE, 3), "Il y a trois cercles rouges, donc il reste deux cercles rouges."),
    (m.SayLeft(BLACK_CROSS, 6), "Il y a six croix noires, donc il reste cinq croix noires."),
    (
        m.SayBox(RED_CIRCLE, BOX),
        "Le cercle rouge se trouve dans la boîte englobante [0.25, 0.00, 0.50, 0.25].",
    ),
    (m.SayWidth(BLUE_STAR, 48), "L'étoile bleue fait 48 px de large."),
    (
        m.SayLink(STAR, URL),
        "Vous pouvez en savoir plus sur les étoiles à l'adresse https://example.org/shapes/star .",
    ),
    (
        m.SayList((Group(1, RED_CIRCLE), Group(2, SMALL_PURPLE_STAR), Group(5, BLACK_CROSS))),
        "- un cercle rouge\n- deux petites étoiles violettes\n- cinq croix noires",
    ),
]


@pytest.mark.parametrize(("message", "text"), SENTENCES)
def test_french_sentence_is_exact(message: Message, text: str) -> None:
    assert say(message) == text
