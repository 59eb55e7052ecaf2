"""Sentences of ten languages, exact: proof-read, so a change here needs a reason."""

import pytest

from sceneworld import messages as m
from sceneworld.grammar import SPOKEN, say, say_turn
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

BOX = "[0.25, 0.00, 0.50, 0.25]"
THING = Kind()


def kind(words: str) -> Kind:
    """`small red circle`, in which any word may be missing."""
    told = {word: part for part in (Shape, Colour, Size) for word in part}
    chosen = {told[word].__name__.lower(): told[word](word) for word in words.split()}
    return Kind(**chosen)


SENTENCES = {
    "en": [
        (m.AskColour(kind("small circle")), "What colour is the small circle?"),
        (m.AskShape(kind("red")), "What shape is the red object?"),
        (m.AskSize(kind("red circle")), "Is the red circle big or small?"),
        (m.AskCount(kind("red circle")), "How many red circles are there?"),
        (m.AskCount(kind("cross")), "How many crosses are there?"),
        (m.AskCount(THING), "How many objects are there?"),
        (m.AskRegion(kind("red circle")), "Where is the red circle?"),
        (m.AskExists(kind("orange star")), "Is there an orange star in the picture?"),
        (
            m.AskSide(kind("red circle"), Side.LEFT, kind("blue square")),
            "Is the red circle to the left of the blue square?",
        ),
        (m.AskList(0), "What do you see in the picture?"),
        (m.AskList(1), "List all the objects in the picture."),
        (m.AskDetail(3), "Can you describe the picture in detail?"),
        (m.AskMore(kind("circle"), kind("square")), "Are there more circles than squares?"),
        (
            m.AskLeft(kind("red circle")),
            "If one red circle is removed, how many red circles are left?",
        ),
        (m.AskBox(kind("red circle")), "Give the bounding box of the red circle."),
        (m.AskWidth(kind("red circle")), "How wide is the red circle?"),
        (m.AskLink(kind("circle")), "Where can I read more about circles?"),
        (m.ShortColour(Colour.RED, kind("circle")), "Red."),
        (m.ShortShape(Shape.CIRCLE), "A circle."),
        (m.ShortSize(Size.BIG, kind("circle")), "Big."),
        (m.ShortCount(2, kind("circle")), "Two."),
        (m.ShortCount(0, kind("circle")), "None."),
        (m.ShortRegion(Region.TOP_LEFT), "In the top left corner."),
        (m.Yes(), "Yes."),
        (m.No(), "No."),
        (m.SayColour(kind("circle"), Colour.RED), "The circle is red."),
        (m.SayShape(kind("red"), Shape.CIRCLE), "The red object is a circle."),
        (m.SaySize(kind("red circle"), Size.BIG), "The red circle is big."),
        (m.SayThere((Group(2, kind("red circle")),)), "There are two red circles in the picture."),
        (
            m.SayThere(
                (Group(1, kind("red circle")), Group(2, kind("square")), Group(1, kind("star")))
            ),
            "There is a red circle, two squares and a star in the picture.",
        ),
        (m.SayNone(kind("red circle")), "There are no red circles in the picture."),
        (m.SayTotal(3), "The picture shows three objects in total."),
        (m.SayTotal(1), "The picture shows one object in total."),
        (
            m.SayRegion(kind("red circle"), Region.TOP_LEFT),
            "The red circle is in the top left corner.",
        ),
        (
            m.SaySide(kind("red circle"), Side.ABOVE, kind("blue square")),
            "The red circle is above the blue square.",
        ),
        (m.SayBackground(), "The background is white and nothing else can be seen."),
        (
            m.SayMore(Group(3, kind("circle")), Group(1, kind("square")), True),
            "Yes, there are more circles than squares: three circles and one square.",
        ),
        (
            m.SayMore(Group(1, kind("circle")), Group(3, kind("square")), False),
            "No, there are not more circles than squares: one circle and three squares.",
        ),
        (
            m.SayLeft(kind("red circle"), 3),
            "There are three red circles, so two red circles are left.",
        ),
        (m.SayLeft(kind("red circle"), 2), "There are two red circles, so one red circle is left."),
        (m.SayLeft(kind("red circle"), 1), "There is one red circle, so no red circles are left."),
        (
            m.SayBox(kind("red circle"), BOX),
            "The red circle is in the box [0.25, 0.00, 0.50, 0.25].",
        ),
        (m.SayWidth(kind("red circle"), 48), "The red circle is 48 px wide."),
        (
            m.SayLink(kind("circle"), "https://example.org/shapes/circle"),
            "You can read more about circles at https://example.org/shapes/circle .",
        ),
        (
            m.SayList((Group(1, kind("red circle")), Group(2, kind("blue square")))),
            "- a red circle\n- two blue squares",
        ),
    ],
    "zh": [
        (m.AskColour(kind("small triangle")), "小三角形是什么颜色的？"),
        (m.AskColour(kind("star")), "星星是什么颜色的？"),
        (m.AskShape(kind("blue")), "蓝色物体是什么形状？"),
        (m.AskSize(kind("red circle")), "红色圆形是大的还是小的？"),
        (m.AskSize(kind("blue")), "蓝色物体是大的还是小的？"),
        (m.AskCount(kind("red circle")), "有几个红色圆形？"),
        (m.AskCount(kind("big yellow star")), "有几颗黄色的大星星？"),
        (m.AskCount(kind("blue")), "有几个蓝色物体？"),
        (m.AskRegion(kind("big yellow star")), "黄色的大星星在哪里？"),
        (m.AskExists(kind("small black heart")), "图片里是不是有黑色的小爱心？"),
        (
            m.AskSide(kind("red circle"), Side.LEFT, kind("blue square")),
            "红色圆形是不是在蓝色正方形左边？",
        ),
        (
            m.AskSide(kind("small black heart"), Side.ABOVE, kind("big yellow star")),
            "黑色的小爱心是不是在黄色的大星星上方？",
        ),
        (m.AskMore(kind("circle"), kind("square")), "圆形是不是比正方形多？"),
        (
            m.AskMore(kind("big yellow star"), kind("blue triangle")),
            "黄色的大星星是不是比蓝色三角形多？",
        ),
        (m.AskLeft(kind("big yellow star")), "如果拿走一颗黄色的大星星，还剩几颗黄色的大星星？"),
        (m.AskLeft(kind("blue")), "如果拿走一个蓝色物体，还剩几个蓝色物体？"),
        (m.AskBox(kind("big yellow star")), "请给出黄色的大星星的边界框。"),
        (m.AskWidth(kind("blue triangle")), "蓝色三角形有多宽？"),
        (m.AskLink(kind("star")), "在哪里可以读到更多关于星星的内容？"),
        (m.ShortColour(Colour.BLUE, kind("blue triangle")), "蓝色。"),
        (m.ShortShape(Shape.HEART), "爱心。"),
        (m.ShortSize(Size.BIG, kind("blue")), "大的。"),
        (m.ShortCount(2, kind("circle")), "两个。"),
        (m.ShortCount(2, kind("star")), "两颗。"),
        (m.ShortCount(0, kind("star")), "一颗也没有。"),
        (m.ShortRegion(Region.BOTTOM_RIGHT), "在右下角。"),
        (m.SayColour(kind("small triangle"), Colour.BLUE), "小三角形是蓝色的。"),
        (m.SayShape(kind("blue"), Shape.STAR), "蓝色物体是一颗星星。"),
        (m.SaySize(kind("green cross"), Size.SMALL), "绿色十字是小的。"),
        (m.SayThere((Group(1, THING),)), "图片里有一个物体。"),
        (
            m.SayThere((Group(1, kind("red circle")), Group(2, kind("star")))),
            "图片里有一个红色圆形和两颗星星。",
        ),
        (
            m.SayThere(
                (
                    Group(2, kind("blue triangle")),
                    Group(1, kind("green cross")),
                    Group(6, kind("small black heart")),
                )
            ),
            "图片里有两个蓝色三角形、一个绿色十字和六颗黑色的小爱心。",
        ),
        (m.SayNone(kind("blue triangle")), "图片里没有蓝色三角形。"),
        (m.SayTotal(1), "图片里一共有一个物体。"),
        (m.SayTotal(5), "图片里一共有五个物体。"),
        (
            m.SaySide(kind("red circle"), Side.RIGHT, kind("big yellow star")),
            "红色圆形在黄色的大星星右边。",
        ),
        (
            m.SayMore(Group(3, kind("circle")), Group(1, kind("square")), True),
            "是的，圆形比正方形多：三个圆形和一个正方形。",
        ),
        (
            m.SayMore(Group(1, kind("star")), Group(4, kind("blue triangle")), False),
            "不是，星星不比蓝色三角形多：一颗星星和四个蓝色三角形。",
        ),
        (m.SayLeft(kind("blue triangle"), 3), "有三个蓝色三角形，所以还剩两个蓝色三角形。"),
        (m.SayLeft(kind("red circle"), 2), "有两个红色圆形，所以还剩一个红色圆形。"),
        (m.SayLeft(kind("star"), 1), "有一颗星星，所以一颗星星也不剩了。"),
        (m.SayBox(kind("green cross"), BOX), "绿色十字位于框 [0.25, 0.00, 0.50, 0.25] 内。"),
        (m.SayWidth(kind("blue triangle"), 48), "蓝色三角形宽 48 px。"),
        (
            m.SayLink(kind("circle"), "https://example.org/circle"),
            "你可以在这里读到更多关于圆形的内容： https://example.org/circle 。",
        ),
        (
            m.SayList((Group(1, kind("red circle")), Group(2, kind("blue triangle")))),
            "- 一个红色圆形\n- 两个蓝色三角形",
        ),
    ],
    "fr": [
        (m.AskColour(kind("small circle")), "De quelle couleur est le petit cercle ?"),
        (m.AskShape(kind("red")), "Quelle est la forme de l'objet rouge ?"),
        (m.AskShape(kind("big orange")), "Quelle est la forme du grand objet orange ?"),
        (m.AskSize(kind("red circle")), "Le cercle rouge est-il grand ou petit ?"),
        (m.AskSize(kind("blue star")), "L'étoile bleue est-elle grande ou petite ?"),
        (m.AskCount(kind("small purple star")), "Combien de petites étoiles violettes y a-t-il ?"),
        (m.AskCount(kind("big orange heart")), "Combien de grands cœurs orange y a-t-il ?"),
        (m.AskCount(kind("black cross")), "Combien de croix noires y a-t-il ?"),
        (m.AskCount(THING), "Combien d'objets y a-t-il ?"),
        (m.AskRegion(kind("small purple star")), "Où se trouve la petite étoile violette ?"),
        (m.AskExists(kind("big orange heart")), "Y a-t-il un grand cœur orange sur l'image ?"),
        (
            m.AskExists(kind("small purple star")),
            "Y a-t-il une petite étoile violette sur l'image ?",
        ),
        (
            m.AskSide(kind("red circle"), Side.LEFT, kind("big green square")),
            "Le cercle rouge se trouve-t-il à gauche du grand carré vert ?",
        ),
        (
            m.AskSide(kind("blue star"), Side.RIGHT, kind("black cross")),
            "L'étoile bleue se trouve-t-elle à droite de la croix noire ?",
        ),
        (
            m.AskSide(kind("black cross"), Side.BELOW, kind("red")),
            "La croix noire se trouve-t-elle au-dessous de l'objet rouge ?",
        ),
        (m.AskList(0), "Que voyez-vous sur l'image ?"),
        (m.AskList(1), "Énumérez tous les objets présents sur l'image."),
        (m.AskDetail(0), "Décrivez l'image suivante."),
        (m.AskDetail(3), "Pouvez-vous décrire l'image en détail ?"),
        (m.AskMore(kind("circle"), kind("star")), "Y a-t-il plus de cercles que d'étoiles ?"),
        (
            m.AskLeft(kind("blue star")),
            "Si l'on retire une étoile bleue, combien d'étoiles bleues reste-t-il ?",
        ),
        (
            m.AskLeft(kind("big orange heart")),
            "Si l'on retire un grand cœur orange, combien de grands cœurs orange reste-t-il ?",
        ),
        (
            m.AskBox(kind("small purple star")),
            "Donnez la boîte englobante de la petite étoile violette.",
        ),
        (m.AskWidth(kind("big orange")), "Quelle est la largeur du grand objet orange ?"),
        (m.AskLink(kind("big orange")), "Où puis-je en savoir plus sur les grands objets orange ?"),
        (m.AskLink(THING), "Où puis-je en savoir plus sur les objets ?"),
        (m.ShortColour(Colour.GREEN, kind("blue star")), "Verte."),
        (m.ShortColour(Colour.BLUE, kind("big orange heart")), "Bleu."),
        (m.ShortShape(Shape.STAR), "Une étoile."),
        (m.ShortSize(Size.SMALL, kind("blue star")), "Petite."),
        (m.ShortCount(0, kind("red circle")), "Aucun."),
        (m.ShortCount(0, kind("blue star")), "Aucune."),
        (m.ShortCount(1, kind("red circle")), "Un."),
        (m.ShortCount(1, kind("blue star")), "Une."),
        (m.ShortCount(1, kind("big orange heart")), "Un."),
        (m.ShortCount(2, kind("red circle")), "Deux."),
        (m.ShortCount(2, kind("blue star")), "Deux."),
        (m.ShortCount(5, kind("big orange heart")), "Cinq."),
        (m.ShortRegion(Region.TOP_LEFT), "Dans le coin supérieur gauche."),
        (m.SayColour(kind("small star"), Colour.PURPLE), "La petite étoile est violette."),
        (m.SayShape(kind("red"), Shape.STAR), "L'objet rouge est une étoile."),
        (m.SaySize(kind("blue star"), Size.BIG), "L'étoile bleue est grande."),
        (m.SayThere((Group(1, kind("blue star")),)), "Il y a une étoile bleue sur l'image."),
        (m.SayThere((Group(2, kind("red circle")),)), "Il y a deux cercles rouges sur l'image."),
        (m.SayThere((Group(2, kind("blue star")),)), "Il y a deux étoiles bleues sur l'image."),
        (
            m.SayThere((Group(3, kind("small purple star")),)),
            "Il y a trois petites étoiles violettes sur l'image.",
        ),
        (m.SayThere((Group(4, kind("black cross")),)), "Il y a quatre croix noires sur l'image."),
        (m.SayThere((Group(5, kind("red circle")),)), "Il y a cinq cercles rouges sur l'image."),
        (
            m.SayThere((Group(6, kind("blue star")), Group(2, kind("big orange heart")))),
            "Il y a six étoiles bleues et deux grands cœurs orange sur l'image.",
        ),
        (
            m.SayThere(
                (
                    Group(1, kind("red circle")),
                    Group(2, kind("blue star")),
                    Group(3, kind("big orange heart")),
                )
            ),
            "Il y a un cercle rouge, deux étoiles bleues et trois grands cœurs orange sur l'image.",
        ),
        (
            m.SayNone(kind("small purple star")),
            "Il n'y a aucune petite étoile violette sur l'image.",
        ),
        (m.SayTotal(1), "L'image montre un objet au total."),
        (m.SayTotal(2), "L'image montre deux objets au total."),
        (m.SayTotal(5), "L'image montre cinq objets au total."),
        (
            m.SayRegion(kind("blue star"), Region.BOTTOM_RIGHT),
            "L'étoile bleue se trouve dans le coin inférieur droit.",
        ),
        (
            m.SaySide(kind("blue star"), Side.ABOVE, kind("big green square")),
            "L'étoile bleue se trouve au-dessus du grand carré vert.",
        ),
        (m.SayBackground(), "Le fond est blanc et on ne voit rien d'autre."),
        (
            m.SayMore(Group(3, kind("circle")), Group(1, kind("square")), True),
            "Oui, il y a plus de cercles que de carrés : trois cercles et un carré.",
        ),
        (
            m.SayMore(Group(1, kind("star")), Group(2, kind("square")), False),
            "Non, il n'y a pas plus d'étoiles que de carrés : une étoile et deux carrés.",
        ),
        (
            m.SayLeft(kind("blue star"), 1),
            "Il y a une étoile bleue, donc il ne reste aucune étoile bleue.",
        ),
        (
            m.SayLeft(kind("red circle"), 2),
            "Il y a deux cercles rouges, donc il reste un cercle rouge.",
        ),
        (
            m.SayLeft(kind("red circle"), 3),
            "Il y a trois cercles rouges, donc il reste deux cercles rouges.",
        ),
        (
            m.SayLeft(kind("black cross"), 6),
            "Il y a six croix noires, donc il reste cinq croix noires.",
        ),
        (
            m.SayBox(kind("red circle"), BOX),
            "Le cercle rouge se trouve dans la boîte englobante [0.25, 0.00, 0.50, 0.25].",
        ),
        (m.SayWidth(kind("blue star"), 48), "L'étoile bleue fait 48 px de large."),
        (
            m.SayLink(kind("star"), "https://example.org/shapes/star"),
            "Vous pouvez en savoir plus sur les étoiles "
            "à l'adresse https://example.org/shapes/star .",
        ),
        (
            m.SayList(
                (
                    Group(1, kind("red circle")),
                    Group(2, kind("small purple star")),
                    Group(5, kind("black cross")),
                )
            ),
            "- un cercle rouge\n- deux petites étoiles violettes\n- cinq croix noires",
        ),
    ],
    "es": [
        (m.AskColour(kind("small circle")), "¿De qué color es el círculo pequeño?"),
        (m.AskShape(kind("red")), "¿Qué forma tiene el objeto rojo?"),
        (m.AskShape(kind("big orange")), "¿Qué forma tiene el objeto naranja grande?"),
        (m.AskSize(kind("red circle")), "¿Es grande o pequeño el círculo rojo?"),
        (m.AskSize(kind("blue star")), "¿Es grande o pequeña la estrella azul?"),
        (m.AskCount(kind("small purple star")), "¿Cuántas estrellas moradas pequeñas hay?"),
        (m.AskCount(kind("big orange heart")), "¿Cuántos corazones naranja grandes hay?"),
        (m.AskCount(kind("black cross")), "¿Cuántas cruces negras hay?"),
        (m.AskCount(THING), "¿Cuántos objetos hay?"),
        (m.AskRegion(kind("small purple star")), "¿Dónde está la estrella morada pequeña?"),
        (m.AskExists(kind("big orange heart")), "¿Hay un corazón naranja grande en la imagen?"),
        (m.AskExists(kind("small purple star")), "¿Hay una estrella morada pequeña en la imagen?"),
        (
            m.AskSide(kind("red circle"), Side.LEFT, kind("big green square")),
            "¿Está el círculo rojo a la izquierda del cuadrado verde grande?",
        ),
        (
            m.AskSide(kind("blue star"), Side.RIGHT, kind("black cross")),
            "¿Está la estrella azul a la derecha de la cruz negra?",
        ),
        (
            m.AskSide(kind("black cross"), Side.BELOW, kind("red")),
            "¿Está la cruz negra por debajo del objeto rojo?",
        ),
        (m.AskList(0), "¿Qué ve en la imagen?"),
        (m.AskList(1), "Enumere todos los objetos de la imagen."),
        (m.AskDetail(0), "Describa la siguiente imagen."),
        (m.AskDetail(3), "¿Puede describir la imagen con detalle?"),
        (m.AskMore(kind("circle"), kind("star")), "¿Hay más círculos que estrellas?"),
        (
            m.AskLeft(kind("blue star")),
            "Si se quita una estrella azul, ¿cuántas estrellas azules quedan?",
        ),
        (
            m.AskLeft(kind("big orange heart")),
            "Si se quita un corazón naranja grande, ¿cuántos corazones naranja grandes quedan?",
        ),
        (
            m.AskBox(kind("small purple star")),
            "Indique el cuadro delimitador de la estrella morada pequeña.",
        ),
        (m.AskWidth(kind("big orange")), "¿Qué ancho tiene el objeto naranja grande?"),
        (m.AskLink(kind("big orange")), "¿Dónde puedo leer más sobre los objetos naranja grandes?"),
        (m.AskLink(THING), "¿Dónde puedo leer más sobre los objetos?"),
        (m.ShortColour(Colour.GREEN, kind("blue star")), "Verde."),
        (m.ShortColour(Colour.BLUE, kind("big orange heart")), "Azul."),
        (m.ShortShape(Shape.STAR), "Una estrella."),
        (m.ShortSize(Size.SMALL, kind("blue star")), "Pequeña."),
        (m.ShortCount(0, kind("red circle")), "Ninguno."),
        (m.ShortCount(0, kind("blue star")), "Ninguna."),
        (m.ShortCount(1, kind("red circle")), "Uno."),
        (m.ShortCount(1, kind("blue star")), "Una."),
        (m.ShortCount(1, kind("big orange heart")), "Uno."),
        (m.ShortCount(2, kind("red circle")), "Dos."),
        (m.ShortCount(2, kind("blue star")), "Dos."),
        (m.ShortCount(5, kind("big orange heart")), "Cinco."),
        (m.ShortRegion(Region.TOP_LEFT), "En la esquina superior izquierda."),
        (m.SayColour(kind("small star"), Colour.PURPLE), "La estrella pequeña es morada."),
        (m.SayShape(kind("red"), Shape.STAR), "El objeto rojo es una estrella."),
        (m.SaySize(kind("blue star"), Size.BIG), "La estrella azul es grande."),
        (m.SayThere((Group(1, kind("blue star")),)), "En la imagen hay una estrella azul."),
        (m.SayThere((Group(2, kind("red circle")),)), "En la imagen hay dos círculos rojos."),
        (m.SayThere((Group(2, kind("blue star")),)), "En la imagen hay dos estrellas azules."),
        (
            m.SayThere((Group(3, kind("small purple star")),)),
            "En la imagen hay tres estrellas moradas pequeñas.",
        ),
        (m.SayThere((Group(4, kind("black cross")),)), "En la imagen hay cuatro cruces negras."),
        (m.SayThere((Group(5, kind("red circle")),)), "En la imagen hay cinco círculos rojos."),
        (
            m.SayThere((Group(6, kind("blue star")), Group(2, kind("big orange heart")))),
            "En la imagen hay seis estrellas azules y dos corazones naranja grandes.",
        ),
        (
            m.SayThere(
                (
                    Group(1, kind("red circle")),
                    Group(2, kind("blue star")),
                    Group(3, kind("big orange heart")),
                )
            ),
            "En la imagen hay un círculo rojo, dos estrellas azules "
            "y tres corazones naranja grandes.",
        ),
        (
            m.SayNone(kind("small purple star")),
            "En la imagen no hay ninguna estrella morada pequeña.",
        ),
        (m.SayTotal(1), "La imagen muestra un objeto en total."),
        (m.SayTotal(2), "La imagen muestra dos objetos en total."),
        (m.SayTotal(5), "La imagen muestra cinco objetos en total."),
        (
            m.SayRegion(kind("blue star"), Region.BOTTOM_RIGHT),
            "La estrella azul está en la esquina inferior derecha.",
        ),
        (
            m.SaySide(kind("blue star"), Side.ABOVE, kind("big green square")),
            "La estrella azul está por encima del cuadrado verde grande.",
        ),
        (m.SayBackground(), "El fondo es blanco y no se ve nada más."),
        (
            m.SayMore(Group(3, kind("circle")), Group(1, kind("square")), True),
            "Sí, hay más círculos que cuadrados: tres círculos y un cuadrado.",
        ),
        (
            m.SayMore(Group(1, kind("star")), Group(2, kind("square")), False),
            "No, no hay más estrellas que cuadrados: una estrella y dos cuadrados.",
        ),
        (
            m.SayLeft(kind("blue star"), 1),
            "Hay una estrella azul, así que no queda ninguna estrella azul.",
        ),
        (
            m.SayLeft(kind("red circle"), 2),
            "Hay dos círculos rojos, así que queda un círculo rojo.",
        ),
        (
            m.SayLeft(kind("red circle"), 3),
            "Hay tres círculos rojos, así que quedan dos círculos rojos.",
        ),
        (
            m.SayLeft(kind("black cross"), 6),
            "Hay seis cruces negras, así que quedan cinco cruces negras.",
        ),
        (
            m.SayBox(kind("red circle"), BOX),
            "El círculo rojo está en el cuadro delimitador [0.25, 0.00, 0.50, 0.25].",
        ),
        (m.SayWidth(kind("blue star"), 48), "La estrella azul tiene 48 px de ancho."),
        (
            m.SayLink(kind("star"), "https://example.org/shapes/star"),
            "Puede leer más sobre las estrellas en https://example.org/shapes/star .",
        ),
        (
            m.SayList(
                (
                    Group(1, kind("red circle")),
                    Group(2, kind("small purple star")),
                    Group(5, kind("black cross")),
                )
            ),
            "- un círculo rojo\n- dos estrellas moradas pequeñas\n- cinco cruces negras",
        ),
    ],
    "ru": [
        (m.AskColour(kind("small circle")), "Какого цвета маленький круг?"),
        (m.AskShape(kind("red")), "Какой формы красный объект?"),
        (m.AskShape(kind("big orange")), "Какой формы большой оранжевый объект?"),
        (m.AskSize(kind("red circle")), "Красный круг большой или маленький?"),
        (m.AskSize(kind("blue star")), "Синяя звезда большая или маленькая?"),
        (m.AskCount(kind("small purple star")), "Сколько здесь маленьких фиолетовых звёзд?"),
        (m.AskCount(kind("big orange heart")), "Сколько здесь больших оранжевых сердец?"),
        (m.AskCount(kind("black cross")), "Сколько здесь чёрных крестов?"),
        (m.AskCount(THING), "Сколько здесь объектов?"),
        (m.AskRegion(kind("small purple star")), "Где находится маленькая фиолетовая звезда?"),
        (m.AskExists(kind("big orange heart")), "Есть ли на картинке большое оранжевое сердце?"),
        (
            m.AskExists(kind("small purple star")),
            "Есть ли на картинке маленькая фиолетовая звезда?",
        ),
        (
            m.AskSide(kind("red circle"), Side.LEFT, kind("big green square")),
            "Находится ли красный круг слева от большого зелёного квадрата?",
        ),
        (
            m.AskSide(kind("blue star"), Side.RIGHT, kind("black cross")),
            "Находится ли синяя звезда справа от чёрного креста?",
        ),
        (
            m.AskSide(kind("black cross"), Side.BELOW, kind("red")),
            "Находится ли чёрный крест ниже красного объекта?",
        ),
        (m.AskList(0), "Что вы видите на картинке?"),
        (m.AskList(1), "Перечислите все объекты на картинке."),
        (m.AskDetail(0), "Опишите следующее изображение."),
        (m.AskDetail(3), "Не могли бы вы подробно описать картинку?"),
        (m.AskMore(kind("circle"), kind("star")), "Кругов больше, чем звёзд?"),
        (
            m.AskLeft(kind("blue star")),
            "Если убрать одну синюю звезду, сколько синих звёзд останется?",
        ),
        (
            m.AskLeft(kind("big orange heart")),
            "Если убрать одно большое оранжевое сердце, "
            "сколько больших оранжевых сердец останется?",
        ),
        (
            m.AskBox(kind("small purple star")),
            "Укажите ограничивающую рамку маленькой фиолетовой звезды.",
        ),
        (m.AskWidth(kind("big orange")), "Какова ширина большого оранжевого объекта?"),
        (
            m.AskLink(kind("big orange")),
            "Где можно подробнее прочитать о больших оранжевых объектах?",
        ),
        (m.AskLink(THING), "Где можно подробнее прочитать об объектах?"),
        (m.ShortColour(Colour.GREEN, kind("blue star")), "Зелёная."),
        (m.ShortColour(Colour.BLUE, kind("big orange heart")), "Синее."),
        (m.ShortShape(Shape.STAR), "Звезда."),
        (m.ShortSize(Size.SMALL, kind("blue star")), "Маленькая."),
        (m.ShortCount(0, kind("red circle")), "Ни одного."),
        (m.ShortCount(0, kind("blue star")), "Ни одной."),
        (m.ShortCount(1, kind("red circle")), "Один."),
        (m.ShortCount(1, kind("blue star")), "Одна."),
        (m.ShortCount(1, kind("big orange heart")), "Одно."),
        (m.ShortCount(2, kind("red circle")), "Два."),
        (m.ShortCount(2, kind("blue star")), "Две."),
        (m.ShortCount(5, kind("big orange heart")), "Пять."),
        (m.ShortRegion(Region.TOP_LEFT), "В левом верхнем углу."),
        (m.SayColour(kind("small star"), Colour.PURPLE), "Маленькая звезда фиолетовая."),
        (m.SayShape(kind("red"), Shape.STAR), "Красный объект — это звезда."),
        (m.SaySize(kind("blue star"), Size.BIG), "Синяя звезда большая."),
        (m.SayThere((Group(1, kind("blue star")),)), "На картинке одна синяя звезда."),
        (m.SayThere((Group(2, kind("red circle")),)), "На картинке два красных круга."),
        (m.SayThere((Group(2, kind("blue star")),)), "На картинке две синие звезды."),
        (
            m.SayThere((Group(3, kind("small purple star")),)),
            "На картинке три маленькие фиолетовые звезды.",
        ),
        (m.SayThere((Group(4, kind("black cross")),)), "На картинке четыре чёрных креста."),
        (m.SayThere((Group(5, kind("red circle")),)), "На картинке пять красных кругов."),
        (
            m.SayThere((Group(6, kind("blue star")), Group(2, kind("big orange heart")))),
            "На картинке шесть синих звёзд и два больших оранжевых сердца.",
        ),
        (
            m.SayThere(
                (
                    Group(1, kind("red circle")),
                    Group(2, kind("blue star")),
                    Group(3, kind("big orange heart")),
                )
            ),
            "На картинке один красный круг, две синие звезды и три больших оранжевых сердца.",
        ),
        (m.SayNone(kind("small purple star")), "На картинке нет маленьких фиолетовых звёзд."),
        (m.SayTotal(1), "Всего на картинке один объект."),
        (m.SayTotal(2), "Всего на картинке два объекта."),
        (m.SayTotal(5), "Всего на картинке пять объектов."),
        (
            m.SayRegion(kind("blue star"), Region.BOTTOM_RIGHT),
            "Синяя звезда находится в правом нижнем углу.",
        ),
        (
            m.SaySide(kind("blue star"), Side.ABOVE, kind("big green square")),
            "Синяя звезда находится выше большого зелёного квадрата.",
        ),
        (m.SayBackground(), "Фон белый, и больше ничего не видно."),
        (
            m.SayMore(Group(3, kind("circle")), Group(1, kind("square")), True),
            "Да, кругов больше, чем квадратов: три круга и один квадрат.",
        ),
        (
            m.SayMore(Group(1, kind("star")), Group(2, kind("square")), False),
            "Нет, звёзд не больше, чем квадратов: одна звезда и два квадрата.",
        ),
        (
            m.SayLeft(kind("blue star"), 1),
            "Здесь одна синяя звезда, значит, не останется ни одной синей звезды.",
        ),
        (
            m.SayLeft(kind("red circle"), 2),
            "Здесь два красных круга, значит, останется один красный круг.",
        ),
        (
            m.SayLeft(kind("red circle"), 3),
            "Здесь три красных круга, значит, останется два красных круга.",
        ),
        (
            m.SayLeft(kind("black cross"), 6),
            "Здесь шесть чёрных крестов, значит, останется пять чёрных крестов.",
        ),
        (
            m.SayBox(kind("red circle"), BOX),
            "Красный круг находится в рамке [0.25, 0.00, 0.50, 0.25].",
        ),
        (m.SayWidth(kind("blue star"), 48), "Ширина синей звезды — 48 px."),
        (
            m.SayLink(kind("star"), "https://example.org/shapes/star"),
            "Подробнее о звёздах можно прочитать по адресу https://example.org/shapes/star .",
        ),
        (
            m.SayList(
                (
                    Group(1, kind("red circle")),
                    Group(2, kind("small purple star")),
                    Group(5, kind("black cross")),
                )
            ),
            "- красный круг\n- две маленькие фиолетовые звезды\n- пять чёрных крестов",
        ),
    ],
    "ja": [
        (m.AskColour(kind("small triangle")), "小さな三角形は何色ですか？"),
        (m.AskColour(kind("star")), "星は何色ですか？"),
        (m.AskShape(kind("blue")), "青い物体は何の形ですか？"),
        (m.AskSize(kind("red circle")), "赤い円は大きいですか、それとも小さいですか？"),
        (m.AskSize(kind("blue")), "青い物体は大きいですか、それとも小さいですか？"),
        (m.AskCount(kind("red circle")), "赤い円はいくつありますか？"),
        (m.AskCount(kind("big yellow star")), "大きな黄色い星はいくつありますか？"),
        (m.AskCount(kind("blue")), "青い物体はいくつありますか？"),
        (m.AskRegion(kind("big yellow star")), "大きな黄色い星はどこにありますか？"),
        (m.AskExists(kind("small black heart")), "画像に小さな黒いハートはありますか？"),
        (
            m.AskSide(kind("red circle"), Side.LEFT, kind("blue square")),
            "赤い円は青い正方形の左にありますか？",
        ),
        (
            m.AskSide(kind("small black heart"), Side.ABOVE, kind("big yellow star")),
            "小さな黒いハートは大きな黄色い星の上にありますか？",
        ),
        (m.AskMore(kind("circle"), kind("square")), "円のほうが正方形より多いですか？"),
        (
            m.AskMore(kind("big yellow star"), kind("blue triangle")),
            "大きな黄色い星のほうが青い三角形より多いですか？",
        ),
        (
            m.AskLeft(kind("big yellow star")),
            "大きな黄色い星を一つ取り除くと、大きな黄色い星はいくつ残りますか？",
        ),
        (m.AskLeft(kind("blue")), "青い物体を一つ取り除くと、青い物体はいくつ残りますか？"),
        (
            m.AskBox(kind("big yellow star")),
            "大きな黄色い星のバウンディングボックスを示してください。",
        ),
        (m.AskWidth(kind("blue triangle")), "青い三角形の幅はどのくらいですか？"),
        (m.AskLink(kind("star")), "星については、どこでさらに詳しく読むことができますか？"),
        (m.ShortColour(Colour.BLUE, kind("blue triangle")), "青です。"),
        (m.ShortShape(Shape.HEART), "ハートです。"),
        (m.ShortSize(Size.BIG, kind("blue")), "大きいです。"),
        (m.ShortCount(2, kind("circle")), "二つです。"),
        (m.ShortCount(2, kind("star")), "二つです。"),
        (m.ShortCount(0, kind("star")), "一つもありません。"),
        (m.ShortRegion(Region.BOTTOM_RIGHT), "右下の隅です。"),
        (m.SayColour(kind("small triangle"), Colour.BLUE), "小さな三角形は青です。"),
        (m.SayShape(kind("blue"), Shape.STAR), "青い物体は星です。"),
        (m.SaySize(kind("green cross"), Size.SMALL), "緑の十字は小さいです。"),
        (m.SayThere((Group(1, THING),)), "画像には物体が一つあります。"),
        (
            m.SayThere((Group(1, kind("red circle")), Group(2, kind("star")))),
            "画像には赤い円が一つと星が二つあります。",
        ),
        (
            m.SayThere(
                (
                    Group(2, kind("blue triangle")),
                    Group(1, kind("green cross")),
                    Group(6, kind("small black heart")),
                )
            ),
            "画像には青い三角形が二つ、緑の十字が一つ、小さな黒いハートが六つあります。",
        ),
        (m.SayNone(kind("blue triangle")), "画像に青い三角形はありません。"),
        (m.SayTotal(1), "画像には物体が全部で一つあります。"),
        (m.SayTotal(5), "画像には物体が全部で五つあります。"),
        (
            m.SaySide(kind("red circle"), Side.RIGHT, kind("big yellow star")),
            "赤い円は大きな黄色い星の右にあります。",
        ),
        (
            m.SayMore(Group(3, kind("circle")), Group(1, kind("square")), True),
            "はい、円が三つ、正方形が一つなので、円のほうが正方形より多いです。",
        ),
        (
            m.SayMore(Group(1, kind("star")), Group(4, kind("blue triangle")), False),
            "いいえ、星が一つ、青い三角形が四つなので、星のほうが青い三角形より多いわけではありません。",
        ),
        (m.SayLeft(kind("blue triangle"), 3), "青い三角形は三つなので、残る青い三角形は二つです。"),
        (m.SayLeft(kind("red circle"), 2), "赤い円は二つなので、残る赤い円は一つです。"),
        (m.SayLeft(kind("star"), 1), "星は一つなので、残る星はありません。"),
        (
            m.SayBox(kind("green cross"), BOX),
            "緑の十字はボックス [0.25, 0.00, 0.50, 0.25] の中にあります。",
        ),
        (m.SayWidth(kind("blue triangle"), 48), "青い三角形の幅は 48 px です。"),
        (
            m.SayLink(kind("circle"), "https://example.org/circle"),
            "円については、こちらでさらに詳しく読むことができます： https://example.org/circle 。",
        ),
        (
            m.SayList((Group(1, kind("red circle")), Group(2, kind("blue triangle")))),
            "- 赤い円が一つ\n- 青い三角形が二つ",
        ),
    ],
    "ar": [
        (m.AskColour(kind("small circle")), "ما لون الدائرة الصغيرة؟"),
        (m.AskShape(kind("red")), "ما شكل العنصر الأحمر؟"),
        (m.AskShape(kind("big orange")), "ما شكل العنصر البرتقالي الكبير؟"),
        (m.AskSize(kind("red circle")), "هل الدائرة الحمراء كبيرة أم صغيرة؟"),
        (m.AskSize(kind("blue star")), "هل النجمة الزرقاء كبيرة أم صغيرة؟"),
        (m.AskCount(kind("small purple star")), "كم نجمة بنفسجية صغيرة توجد هنا؟"),
        (m.AskCount(kind("big orange heart")), "كم قلبا برتقاليا كبيرا يوجد هنا؟"),
        (m.AskCount(kind("black cross")), "كم صليبا أسود يوجد هنا؟"),
        (m.AskCount(THING), "كم عنصرا يوجد هنا؟"),
        (m.AskRegion(kind("small purple star")), "أين تقع النجمة البنفسجية الصغيرة؟"),
        (m.AskExists(kind("big orange heart")), "هل يوجد قلب برتقالي كبير في الصورة؟"),
        (m.AskExists(kind("small purple star")), "هل توجد نجمة بنفسجية صغيرة في الصورة؟"),
        (
            m.AskSide(kind("red circle"), Side.LEFT, kind("big green square")),
            "هل تقع الدائرة الحمراء إلى يسار المربع الأخضر الكبير؟",
        ),
        (
            m.AskSide(kind("blue star"), Side.RIGHT, kind("black cross")),
            "هل تقع النجمة الزرقاء إلى يمين الصليب الأسود؟",
        ),
        (
            m.AskSide(kind("black cross"), Side.BELOW, kind("red")),
            "هل يقع الصليب الأسود تحت العنصر الأحمر؟",
        ),
        (m.AskList(0), "ماذا ترى في الصورة؟"),
        (m.AskList(1), "اذكر جميع العناصر الموجودة في الصورة."),
        (m.AskDetail(0), "صف الصورة التالية."),
        (m.AskDetail(3), "هل يمكنك وصف الصورة بالتفصيل؟"),
        (m.AskMore(kind("circle"), kind("star")), "هل عدد الدوائر أكبر من عدد النجمات؟"),
        (m.AskLeft(kind("blue star")), "إذا أزيلت نجمة زرقاء واحدة، فكم نجمة زرقاء تبقى؟"),
        (
            m.AskLeft(kind("big orange heart")),
            "إذا أزيل قلب برتقالي كبير واحد، فكم قلبا برتقاليا كبيرا يبقى؟",
        ),
        (m.AskBox(kind("small purple star")), "حدد الإطار المحيط بالنجمة البنفسجية الصغيرة."),
        (m.AskWidth(kind("big orange")), "ما عرض العنصر البرتقالي الكبير؟"),
        (m.AskLink(kind("big orange")), "أين يمكنني قراءة المزيد عن العناصر البرتقالية الكبيرة؟"),
        (m.AskLink(THING), "أين يمكنني قراءة المزيد عن العناصر؟"),
        (m.ShortColour(Colour.GREEN, kind("blue star")), "خضراء."),
        (m.ShortColour(Colour.BLUE, kind("big orange heart")), "أزرق."),
        (m.ShortShape(Shape.STAR), "نجمة."),
        (m.ShortSize(Size.SMALL, kind("blue star")), "صغيرة."),
        (m.ShortCount(0, kind("red circle")), "لا توجد."),
        (m.ShortCount(0, kind("blue star")), "لا توجد."),
        (m.ShortCount(1, kind("red circle")), "واحدة."),
        (m.ShortCount(1, kind("blue star")), "واحدة."),
        (m.ShortCount(1, kind("big orange heart")), "واحد."),
        (m.ShortCount(2, kind("red circle")), "اثنتان."),
        (m.ShortCount(2, kind("blue star")), "اثنتان."),
        (m.ShortCount(5, kind("big orange heart")), "خمسة."),
        (m.ShortRegion(Region.TOP_LEFT), "في الزاوية العلوية اليسرى."),
        (m.SayColour(kind("small star"), Colour.PURPLE), "النجمة الصغيرة بنفسجية."),
        (m.SayShape(kind("red"), Shape.STAR), "العنصر الأحمر نجمة."),
        (m.SaySize(kind("blue star"), Size.BIG), "النجمة الزرقاء كبيرة."),
        (m.SayThere((Group(1, kind("blue star")),)), "في الصورة نجمة زرقاء."),
        (m.SayThere((Group(2, kind("red circle")),)), "في الصورة دائرتان حمراوان."),
        (m.SayThere((Group(2, kind("blue star")),)), "في الصورة نجمتان زرقاوان."),
        (m.SayThere((Group(3, kind("small purple star")),)), "في الصورة ثلاث نجمات بنفسجية صغيرة."),
        (m.SayThere((Group(4, kind("black cross")),)), "في الصورة أربعة صلبان سوداء."),
        (m.SayThere((Group(5, kind("red circle")),)), "في الصورة خمس دوائر حمراء."),
        (
            m.SayThere((Group(6, kind("blue star")), Group(2, kind("big orange heart")))),
            "في الصورة ست نجمات زرقاء وقلبان برتقاليان كبيران.",
        ),
        (
            m.SayThere(
                (
                    Group(1, kind("red circle")),
                    Group(2, kind("blue star")),
                    Group(3, kind("big orange heart")),
                )
            ),
            "في الصورة دائرة حمراء، ونجمتان زرقاوان، وثلاثة قلوب برتقالية كبيرة.",
        ),
        (m.SayNone(kind("small purple star")), "لا توجد نجمات بنفسجية صغيرة في الصورة."),
        (m.SayTotal(1), "تحتوي الصورة على عنصر واحد في المجموع."),
        (m.SayTotal(2), "تحتوي الصورة على عنصرين في المجموع."),
        (m.SayTotal(5), "تحتوي الصورة على خمسة عناصر في المجموع."),
        (
            m.SayRegion(kind("blue star"), Region.BOTTOM_RIGHT),
            "تقع النجمة الزرقاء في الزاوية السفلية اليمنى.",
        ),
        (
            m.SaySide(kind("blue star"), Side.ABOVE, kind("big green square")),
            "تقع النجمة الزرقاء فوق المربع الأخضر الكبير.",
        ),
        (m.SayBackground(), "الخلفية بيضاء ولا يظهر أي شيء آخر."),
        (
            m.SayMore(Group(3, kind("circle")), Group(1, kind("square")), True),
            "نعم، عدد الدوائر أكبر من عدد المربعات: ثلاث دوائر ومربع واحد.",
        ),
        (
            m.SayMore(Group(1, kind("star")), Group(2, kind("square")), False),
            "لا، عدد النجمات ليس أكبر من عدد المربعات: نجمة واحدة ومربعان.",
        ),
        (m.SayLeft(kind("blue star"), 1), "هناك نجمة زرقاء واحدة، لذا لا تبقى أي نجمة زرقاء."),
        (m.SayLeft(kind("red circle"), 2), "هناك دائرتان حمراوان، لذا تبقى دائرة حمراء واحدة."),
        (m.SayLeft(kind("red circle"), 3), "هناك ثلاث دوائر حمراء، لذا تبقى دائرتان حمراوان."),
        (m.SayLeft(kind("black cross"), 6), "هناك ستة صلبان سوداء، لذا تبقى خمسة صلبان سوداء."),
        (
            m.SayBox(kind("red circle"), BOX),
            "تقع الدائرة الحمراء داخل الإطار [0.25, 0.00, 0.50, 0.25].",
        ),
        (m.SayWidth(kind("blue star"), 48), "يبلغ عرض النجمة الزرقاء 48 px."),
        (
            m.SayLink(kind("star"), "https://example.org/shapes/star"),
            "يمكنك قراءة المزيد عن النجمات على الرابط https://example.org/shapes/star .",
        ),
        (
            m.SayList(
                (
                    Group(1, kind("red circle")),
                    Group(2, kind("small purple star")),
                    Group(5, kind("black cross")),
                )
            ),
            "- دائرة حمراء\n- نجمتان بنفسجيتان صغيرتان\n- خمسة صلبان سوداء",
        ),
    ],
    "hi": [
        (m.AskColour(kind("small triangle")), "छोटा त्रिभुज किस रंग का है?"),
        (m.AskColour(kind("star")), "तारा किस रंग का है?"),
        (m.AskShape(kind("blue")), "नीली वस्तु की आकृति क्या है?"),
        (m.AskSize(kind("red circle")), "लाल वृत्त बड़ा है या छोटा?"),
        (m.AskSize(kind("blue")), "नीली वस्तु बड़ी है या छोटी?"),
        (m.AskCount(kind("red circle")), "कितने लाल वृत्त हैं?"),
        (m.AskCount(kind("big yellow star")), "कितने बड़े पीले तारे हैं?"),
        (m.AskCount(kind("blue")), "कितनी नीली वस्तुएँ हैं?"),
        (m.AskRegion(kind("big yellow star")), "बड़ा पीला तारा कहाँ है?"),
        (m.AskExists(kind("small black heart")), "क्या चित्र में कोई छोटा काला दिल है?"),
        (
            m.AskSide(kind("red circle"), Side.LEFT, kind("blue square")),
            "क्या लाल वृत्त नीले वर्ग के बाईं ओर है?",
        ),
        (
            m.AskSide(kind("small black heart"), Side.ABOVE, kind("big yellow star")),
            "क्या छोटा काला दिल बड़े पीले तारे के ऊपर है?",
        ),
        (m.AskMore(kind("circle"), kind("square")), "क्या वृत्त वर्गों से अधिक हैं?"),
        (
            m.AskMore(kind("big yellow star"), kind("blue triangle")),
            "क्या बड़े पीले तारे नीले त्रिभुजों से अधिक हैं?",
        ),
        (
            m.AskLeft(kind("big yellow star")),
            "यदि एक बड़ा पीला तारा हटा दिया जाए, तो कितने बड़े पीले तारे बचेंगे?",
        ),
        (m.AskLeft(kind("blue")), "यदि एक नीली वस्तु हटा दी जाए, तो कितनी नीली वस्तुएँ बचेंगी?"),
        (m.AskBox(kind("big yellow star")), "बड़े पीले तारे का बाउंडिंग बॉक्स बताइए।"),
        (m.AskWidth(kind("blue triangle")), "नीला त्रिभुज कितना चौड़ा है?"),
        (m.AskLink(kind("star")), "तारों के बारे में और अधिक कहाँ पढ़ा जा सकता है?"),
        (m.ShortColour(Colour.BLUE, kind("blue triangle")), "नीला।"),
        (m.ShortShape(Shape.HEART), "एक दिल।"),
        (m.ShortSize(Size.BIG, kind("blue")), "बड़ी।"),
        (m.ShortCount(2, kind("circle")), "दो।"),
        (m.ShortCount(2, kind("star")), "दो।"),
        (m.ShortCount(0, kind("star")), "एक भी नहीं।"),
        (m.ShortRegion(Region.BOTTOM_RIGHT), "निचले दाएँ कोने में।"),
        (m.SayColour(kind("small triangle"), Colour.BLUE), "छोटा त्रिभुज नीला है।"),
        (m.SayShape(kind("blue"), Shape.STAR), "नीली वस्तु एक तारा है।"),
        (m.SaySize(kind("green cross"), Size.SMALL), "हरा क्रॉस छोटा है।"),
        (m.SayThere((Group(1, THING),)), "चित्र में एक वस्तु है।"),
        (
            m.SayThere((Group(1, kind("red circle")), Group(2, kind("star")))),
            "चित्र में एक लाल वृत्त और दो तारे हैं।",
        ),
        (
            m.SayThere(
                (
                    Group(2, kind("blue triangle")),
                    Group(1, kind("green cross")),
                    Group(6, kind("small black heart")),
                )
            ),
            "चित्र में दो नीले त्रिभुज, एक हरा क्रॉस और छह छोटे काले दिल हैं।",
        ),
        (m.SayNone(kind("blue triangle")), "चित्र में कोई नीला त्रिभुज नहीं है।"),
        (m.SayTotal(1), "चित्र में कुल एक वस्तु दिखाई देती है।"),
        (m.SayTotal(5), "चित्र में कुल पाँच वस्तुएँ दिखाई देती हैं।"),
        (
            m.SaySide(kind("red circle"), Side.RIGHT, kind("big yellow star")),
            "लाल वृत्त बड़े पीले तारे के दाईं ओर है।",
        ),
        (
            m.SayMore(Group(3, kind("circle")), Group(1, kind("square")), True),
            "हाँ, वृत्त वर्गों से अधिक हैं: तीन वृत्त और एक वर्ग।",
        ),
        (
            m.SayMore(Group(1, kind("star")), Group(4, kind("blue triangle")), False),
            "नहीं, तारे नीले त्रिभुजों से अधिक नहीं हैं: एक तारा और चार नीले त्रिभुज।",
        ),
        (m.SayLeft(kind("blue triangle"), 3), "तीन नीले त्रिभुज हैं, इसलिए दो नीले त्रिभुज बचेंगे।"),
        (m.SayLeft(kind("red circle"), 2), "दो लाल वृत्त हैं, इसलिए एक लाल वृत्त बचेगा।"),
        (m.SayLeft(kind("star"), 1), "एक तारा है, इसलिए कोई तारा नहीं बचेगा।"),
        (m.SayBox(kind("green cross"), BOX), "हरा क्रॉस बॉक्स [0.25, 0.00, 0.50, 0.25] में है।"),
        (m.SayWidth(kind("blue triangle"), 48), "नीला त्रिभुज 48 px चौड़ा है।"),
        (
            m.SayLink(kind("circle"), "https://example.org/circle"),
            "आप वृत्तों के बारे में और अधिक यहाँ पढ़ सकते हैं: https://example.org/circle ।",
        ),
        (
            m.SayList((Group(1, kind("red circle")), Group(2, kind("blue triangle")))),
            "- एक लाल वृत्त\n- दो नीले त्रिभुज",
        ),
    ],
    "bn": [
        (m.AskColour(kind("small triangle")), "ছোট ত্রিভুজটি কী রঙের?"),
        (m.AskColour(kind("star")), "তারাটি কী রঙের?"),
        (m.AskShape(kind("blue")), "নীল বস্তুটির আকৃতি কী?"),
        (m.AskSize(kind("red circle")), "লাল বৃত্তটি বড় নাকি ছোট?"),
        (m.AskSize(kind("blue")), "নীল বস্তুটি বড় নাকি ছোট?"),
        (m.AskCount(kind("red circle")), "কয়টি লাল বৃত্ত আছে?"),
        (m.AskCount(kind("big yellow star")), "কয়টি বড় হলুদ তারা আছে?"),
        (m.AskCount(kind("blue")), "কয়টি নীল বস্তু আছে?"),
        (m.AskRegion(kind("big yellow star")), "বড় হলুদ তারাটি কোথায় আছে?"),
        (m.AskExists(kind("small black heart")), "ছবিতে কি কোনো ছোট কালো হার্ট আছে?"),
        (
            m.AskSide(kind("red circle"), Side.LEFT, kind("blue square")),
            "লাল বৃত্তটি কি নীল বর্গক্ষেত্রটির বাঁ দিকে আছে?",
        ),
        (
            m.AskSide(kind("small black heart"), Side.ABOVE, kind("big yellow star")),
            "ছোট কালো হার্টটি কি বড় হলুদ তারাটির উপরে আছে?",
        ),
        (m.AskMore(kind("circle"), kind("square")), "বৃত্তের সংখ্যা কি বর্গক্ষেত্রের সংখ্যার চেয়ে বেশি?"),
        (
            m.AskMore(kind("big yellow star"), kind("blue triangle")),
            "বড় হলুদ তারার সংখ্যা কি নীল ত্রিভুজের সংখ্যার চেয়ে বেশি?",
        ),
        (m.AskLeft(kind("big yellow star")), "একটি বড় হলুদ তারা সরিয়ে নিলে কয়টি বড় হলুদ তারা বাকি থাকবে?"),
        (m.AskLeft(kind("blue")), "একটি নীল বস্তু সরিয়ে নিলে কয়টি নীল বস্তু বাকি থাকবে?"),
        (m.AskBox(kind("big yellow star")), "বড় হলুদ তারাটির বাউন্ডিং বক্স দিন।"),
        (m.AskWidth(kind("blue triangle")), "নীল ত্রিভুজটি কতটা চওড়া?"),
        (m.AskLink(kind("star")), "আমি তারা সম্পর্কে আরও কোথায় পড়তে পারি?"),
        (m.ShortColour(Colour.BLUE, kind("blue triangle")), "নীল।"),
        (m.ShortShape(Shape.HEART), "একটি হার্ট।"),
        (m.ShortSize(Size.BIG, kind("blue")), "বড়।"),
        (m.ShortCount(2, kind("circle")), "দুটি।"),
        (m.ShortCount(2, kind("star")), "দুটি।"),
        (m.ShortCount(0, kind("star")), "একটিও না।"),
        (m.ShortRegion(Region.BOTTOM_RIGHT), "নিচের ডান কোণে।"),
        (m.SayColour(kind("small triangle"), Colour.BLUE), "ছোট ত্রিভুজটি নীল।"),
        (m.SayShape(kind("blue"), Shape.STAR), "নীল বস্তুটি একটি তারা।"),
        (m.SaySize(kind("green cross"), Size.SMALL), "সবুজ ক্রসটি ছোট।"),
        (m.SayThere((Group(1, THING),)), "ছবিতে একটি বস্তু আছে।"),
        (
            m.SayThere((Group(1, kind("red circle")), Group(2, kind("star")))),
            "ছবিতে একটি লাল বৃত্ত এবং দুটি তারা আছে।",
        ),
        (
            m.SayThere(
                (
                    Group(2, kind("blue triangle")),
                    Group(1, kind("green cross")),
                    Group(6, kind("small black heart")),
                )
            ),
            "ছবিতে দুটি নীল ত্রিভুজ, একটি সবুজ ক্রস এবং ছয়টি ছোট কালো হার্ট আছে।",
        ),
        (m.SayNone(kind("blue triangle")), "ছবিতে কোনো নীল ত্রিভুজ নেই।"),
        (m.SayTotal(1), "ছবিতে মোট একটি বস্তু দেখা যাচ্ছে।"),
        (m.SayTotal(5), "ছবিতে মোট পাঁচটি বস্তু দেখা যাচ্ছে।"),
        (
            m.SaySide(kind("red circle"), Side.RIGHT, kind("big yellow star")),
            "লাল বৃত্তটি বড় হলুদ তারাটির ডান দিকে আছে।",
        ),
        (
            m.SayMore(Group(3, kind("circle")), Group(1, kind("square")), True),
            "হ্যাঁ, বৃত্তের সংখ্যা বর্গক্ষেত্রের সংখ্যার চেয়ে বেশি: তিনটি বৃত্ত এবং একটি বর্গক্ষেত্র।",
        ),
        (
            m.SayMore(Group(1, kind("star")), Group(4, kind("blue triangle")), False),
            "না, তারার সংখ্যা নীল ত্রিভুজের সংখ্যার চেয়ে বেশি নয়: একটি তারা এবং চারটি নীল ত্রিভুজ।",
        ),
        (m.SayLeft(kind("blue triangle"), 3), "তিনটি নীল ত্রিভুজ আছে, তাই দুটি নীল ত্রিভুজ বাকি থাকবে।"),
        (m.SayLeft(kind("red circle"), 2), "দুটি লাল বৃত্ত আছে, তাই একটি লাল বৃত্ত বাকি থাকবে।"),
        (m.SayLeft(kind("star"), 1), "একটি তারা আছে, তাই কোনো তারা বাকি থাকবে না।"),
        (m.SayBox(kind("green cross"), BOX), "সবুজ ক্রসটি [0.25, 0.00, 0.50, 0.25] বক্সের মধ্যে আছে।"),
        (m.SayWidth(kind("blue triangle"), 48), "নীল ত্রিভুজটি 48 px চওড়া।"),
        (
            m.SayLink(kind("circle"), "https://example.org/circle"),
            "আপনি বৃত্ত সম্পর্কে আরও এখানে পড়তে পারেন: https://example.org/circle ।",
        ),
        (
            m.SayList((Group(1, kind("red circle")), Group(2, kind("blue triangle")))),
            "- একটি লাল বৃত্ত\n- দুটি নীল ত্রিভুজ",
        ),
    ],
    "ur": [
        (m.AskColour(kind("small triangle")), "چھوٹی مثلث کس رنگ کی ہے؟"),
        (m.AskColour(kind("star")), "ستارہ کس رنگ کا ہے؟"),
        (m.AskShape(kind("blue")), "نیلی چیز کی شکل کیا ہے؟"),
        (m.AskSize(kind("red circle")), "سرخ دائرہ بڑا ہے یا چھوٹا؟"),
        (m.AskSize(kind("blue")), "نیلی چیز بڑی ہے یا چھوٹی؟"),
        (m.AskCount(kind("red circle")), "کتنے سرخ دائرے ہیں؟"),
        (m.AskCount(kind("big yellow star")), "کتنے بڑے پیلے ستارے ہیں؟"),
        (m.AskCount(kind("blue")), "کتنی نیلی چیزیں ہیں؟"),
        (m.AskRegion(kind("big yellow star")), "بڑا پیلا ستارہ کہاں ہے؟"),
        (m.AskExists(kind("small black heart")), "کیا تصویر میں کوئی چھوٹا کالا دل ہے؟"),
        (
            m.AskSide(kind("red circle"), Side.LEFT, kind("blue square")),
            "کیا سرخ دائرہ نیلے مربع کے بائیں طرف ہے؟",
        ),
        (
            m.AskSide(kind("small black heart"), Side.ABOVE, kind("big yellow star")),
            "کیا چھوٹا کالا دل بڑے پیلے ستارے کے اوپر ہے؟",
        ),
        (m.AskMore(kind("circle"), kind("square")), "کیا دائرے مربعوں سے زیادہ ہیں؟"),
        (
            m.AskMore(kind("big yellow star"), kind("blue triangle")),
            "کیا بڑے پیلے ستارے نیلی مثلثوں سے زیادہ ہیں؟",
        ),
        (
            m.AskLeft(kind("big yellow star")),
            "اگر ایک بڑا پیلا ستارہ ہٹا دیا جائے تو کتنے بڑے پیلے ستارے بچیں گے؟",
        ),
        (m.AskLeft(kind("blue")), "اگر ایک نیلی چیز ہٹا دی جائے تو کتنی نیلی چیزیں بچیں گی؟"),
        (m.AskBox(kind("big yellow star")), "بڑے پیلے ستارے کا باؤنڈنگ باکس بتائیے۔"),
        (m.AskWidth(kind("blue triangle")), "نیلی مثلث کتنی چوڑی ہے؟"),
        (m.AskLink(kind("star")), "ستاروں کے بارے میں مزید کہاں پڑھا جا سکتا ہے؟"),
        (m.ShortColour(Colour.BLUE, kind("blue triangle")), "نیلی۔"),
        (m.ShortShape(Shape.HEART), "ایک دل۔"),
        (m.ShortSize(Size.BIG, kind("blue")), "بڑی۔"),
        (m.ShortCount(2, kind("circle")), "دو۔"),
        (m.ShortCount(2, kind("star")), "دو۔"),
        (m.ShortCount(0, kind("star")), "ایک بھی نہیں۔"),
        (m.ShortRegion(Region.BOTTOM_RIGHT), "نچلے دائیں کونے میں۔"),
        (m.SayColour(kind("small triangle"), Colour.BLUE), "چھوٹی مثلث نیلی ہے۔"),
        (m.SayShape(kind("blue"), Shape.STAR), "نیلی چیز ایک ستارہ ہے۔"),
        (m.SaySize(kind("green cross"), Size.SMALL), "سبز کراس چھوٹا ہے۔"),
        (m.SayThere((Group(1, THING),)), "تصویر میں ایک چیز ہے۔"),
        (
            m.SayThere((Group(1, kind("red circle")), Group(2, kind("star")))),
            "تصویر میں ایک سرخ دائرہ اور دو ستارے ہیں۔",
        ),
        (
            m.SayThere(
                (
                    Group(2, kind("blue triangle")),
                    Group(1, kind("green cross")),
                    Group(6, kind("small black heart")),
                )
            ),
            "تصویر میں دو نیلی مثلثیں، ایک سبز کراس اور چھ چھوٹے کالے دل ہیں۔",
        ),
        (m.SayNone(kind("blue triangle")), "تصویر میں کوئی نیلی مثلث نہیں ہے۔"),
        (m.SayTotal(1), "تصویر میں کل ایک چیز نظر آتی ہے۔"),
        (m.SayTotal(5), "تصویر میں کل پانچ چیزیں نظر آتی ہیں۔"),
        (
            m.SaySide(kind("red circle"), Side.RIGHT, kind("big yellow star")),
            "سرخ دائرہ بڑے پیلے ستارے کے دائیں طرف ہے۔",
        ),
        (
            m.SayMore(Group(3, kind("circle")), Group(1, kind("square")), True),
            "جی ہاں، دائرے مربعوں سے زیادہ ہیں: تین دائرے اور ایک مربع۔",
        ),
        (
            m.SayMore(Group(1, kind("star")), Group(4, kind("blue triangle")), False),
            "جی نہیں، ستارے نیلی مثلثوں سے زیادہ نہیں ہیں: ایک ستارہ اور چار نیلی مثلثیں۔",
        ),
        (
            m.SayLeft(kind("blue triangle"), 3),
            "تین نیلی مثلثیں ہیں، اس لیے دو نیلی مثلثیں بچیں گی۔",
        ),
        (m.SayLeft(kind("red circle"), 2), "دو سرخ دائرے ہیں، اس لیے ایک سرخ دائرہ بچے گا۔"),
        (m.SayLeft(kind("star"), 1), "ایک ستارہ ہے، اس لیے کوئی ستارہ نہیں بچے گا۔"),
        (m.SayBox(kind("green cross"), BOX), "سبز کراس باکس [0.25, 0.00, 0.50, 0.25] میں ہے۔"),
        (m.SayWidth(kind("blue triangle"), 48), "نیلی مثلث 48 px چوڑی ہے۔"),
        (
            m.SayLink(kind("circle"), "https://example.org/circle"),
            "آپ دائروں کے بارے میں مزید یہاں پڑھ سکتے ہیں: https://example.org/circle ۔",
        ),
        (
            m.SayList((Group(1, kind("red circle")), Group(2, kind("blue triangle")))),
            "- ایک سرخ دائرہ\n- دو نیلی مثلثیں",
        ),
    ],
}


@pytest.mark.parametrize(
    ("lang", "message", "text"),
    [(lang, *pair) for lang, pairs in SENTENCES.items() for pair in pairs],
)
def test_sentence_is_exact(lang, message, text):
    assert say(message, lang) == text


def test_every_language_has_sentences_and_english_of_every_message():
    assert {*SENTENCES} == {*SPOKEN}
    assert {type(message) for message, _ in SENTENCES["en"]} == {*m.Message.__subclasses__()}


def test_a_message_that_is_no_message_is_refused():
    for lang in SPOKEN:
        with pytest.raises(TypeError, match=f"Nothing in '{lang}' says"):
            say(m.Message(), lang)


def test_sentences_join_with_a_space_but_not_in_chinese_and_japanese():
    turn = (m.Yes(), m.SayTotal(2))
    assert say_turn(turn, "en") == "Yes. The picture shows two objects in total."
    for lang in ("zh", "ja"):
        assert say_turn(turn, lang) == say_turn(turn[:1], lang) + say_turn(turn[1:], lang)


def test_a_list_stands_on_its_own_lines():
    turn = (m.Yes(), m.SayList((Group(1, kind("circle")),)), m.No())
    assert say_turn(turn, "en") == "Yes.\n- a circle\nNo."


def test_an_unknown_language_is_no_grammar():
    with pytest.raises(ValueError, match="'xx' is not a valid Language"):
        say_turn((m.Yes(),), "xx")
