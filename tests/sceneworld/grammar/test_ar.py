"""Arabic sentences, exact: proof-read, so a change here needs a reason."""

import pytest

from sceneworld import messages as m
from sceneworld.grammar.ar import say
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
    (m.AskColour(SMALL_CIRCLE), "ما لون الدائرة الصغيرة؟"),
    (m.AskShape(RED_THING), "ما شكل العنصر الأحمر؟"),
    (m.AskShape(BIG_ORANGE_THING), "ما شكل العنصر البرتقالي الكبير؟"),
    (m.AskSize(RED_CIRCLE), "هل الدائرة الحمراء كبيرة أم صغيرة؟"),
    (m.AskSize(BLUE_STAR), "هل النجمة الزرقاء كبيرة أم صغيرة؟"),
    (m.AskCount(SMALL_PURPLE_STAR), "كم نجمة بنفسجية صغيرة توجد هنا؟"),
    (m.AskCount(BIG_ORANGE_HEART), "كم قلبا برتقاليا كبيرا يوجد هنا؟"),
    (m.AskCount(BLACK_CROSS), "كم صليبا أسود يوجد هنا؟"),
    (m.AskCount(THING), "كم عنصرا يوجد هنا؟"),
    (m.AskRegion(SMALL_PURPLE_STAR), "أين تقع النجمة البنفسجية الصغيرة؟"),
    (m.AskExists(BIG_ORANGE_HEART), "هل يوجد قلب برتقالي كبير في الصورة؟"),
    (m.AskExists(SMALL_PURPLE_STAR), "هل توجد نجمة بنفسجية صغيرة في الصورة؟"),
    (
        m.AskSide(RED_CIRCLE, Side.LEFT, BIG_GREEN_SQUARE),
        "هل تقع الدائرة الحمراء إلى يسار المربع الأخضر الكبير؟",
    ),
    (
        m.AskSide(BLUE_STAR, Side.RIGHT, BLACK_CROSS),
        "هل تقع النجمة الزرقاء إلى يمين الصليب الأسود؟",
    ),
    (m.AskSide(BLACK_CROSS, Side.BELOW, RED_THING), "هل يقع الصليب الأسود تحت العنصر الأحمر؟"),
    (m.AskList(0), "ماذا ترى في الصورة؟"),
    (m.AskList(1), "اذكر جميع العناصر الموجودة في الصورة."),
    (m.AskDetail(0), "صف الصورة التالية."),
    (m.AskDetail(3), "هل يمكنك وصف الصورة بالتفصيل؟"),
    (m.AskMore(CIRCLE, STAR), "هل عدد الدوائر أكبر من عدد النجمات؟"),
    (m.AskLeft(BLUE_STAR), "إذا أزيلت نجمة زرقاء واحدة، فكم نجمة زرقاء تبقى؟"),
    (m.AskLeft(BIG_ORANGE_HEART), "إذا أزيل قلب برتقالي كبير واحد، فكم قلبا برتقاليا كبيرا يبقى؟"),
    (m.AskBox(SMALL_PURPLE_STAR), "حدد الإطار المحيط بالنجمة البنفسجية الصغيرة."),
    (m.AskWidth(BIG_ORANGE_THING), "ما عرض العنصر البرتقالي الكبير؟"),
    (m.AskLink(BIG_ORANGE_THING), "أين يمكنني قراءة المزيد عن العناصر البرتقالية الكبيرة؟"),
    (m.AskLink(THING), "أين يمكنني قراءة المزيد عن العناصر؟"),
    (m.ShortColour(Colour.GREEN, BLUE_STAR), "خضراء."),
    (m.ShortColour(Colour.BLUE, BIG_ORANGE_HEART), "أزرق."),
    (m.ShortShape(Shape.STAR), "نجمة."),
    (m.ShortSize(Size.SMALL, BLUE_STAR), "صغيرة."),
    (m.ShortCount(0, RED_CIRCLE), "لا توجد."),
    (m.ShortCount(0, BLUE_STAR), "لا توجد."),
    (m.ShortCount(1, RED_CIRCLE), "واحدة."),
    (m.ShortCount(1, BLUE_STAR), "واحدة."),
    (m.ShortCount(1, BIG_ORANGE_HEART), "واحد."),
    (m.ShortCount(2, RED_CIRCLE), "اثنتان."),
    (m.ShortCount(2, BLUE_STAR), "اثنتان."),
    (m.ShortCount(5, BIG_ORANGE_HEART), "خمسة."),
    (m.ShortRegion(Region.TOP_LEFT), "في الزاوية العلوية اليسرى."),
    (m.SayColour(Kind(Shape.STAR, size=Size.SMALL), Colour.PURPLE), "النجمة الصغيرة بنفسجية."),
    (m.SayShape(RED_THING, Shape.STAR), "العنصر الأحمر نجمة."),
    (m.SaySize(BLUE_STAR, Size.BIG), "النجمة الزرقاء كبيرة."),
    (m.SayThere((Group(1, BLUE_STAR),)), "في الصورة نجمة زرقاء."),
    (m.SayThere((Group(2, RED_CIRCLE),)), "في الصورة دائرتان حمراوان."),
    (m.SayThere((Group(2, BLUE_STAR),)), "في الصورة نجمتان زرقاوان."),
    (m.SayThere((Group(3, SMALL_PURPLE_STAR),)), "في الصورة ثلاث نجمات بنفسجية صغيرة."),
    (m.SayThere((Group(4, BLACK_CROSS),)), "في الصورة أربعة صلبان سوداء."),
    (m.SayThere((Group(5, RED_CIRCLE),)), "في الصورة خمس دوائر حمراء."),
    (
        m.SayThere((Group(6, BLUE_STAR), Group(2, BIG_ORANGE_HEART))),
        "في الصورة ست نجمات زرقاء وقلبان برتقاليان كبيران.",
    ),
    (
        m.SayThere((Group(1, RED_CIRCLE), Group(2, BLUE_STAR), Group(3, BIG_ORANGE_HEART))),
        "في الصورة دائرة حمراء، ونجمتان زرقاوان، وثلاثة قلوب برتقالية كبيرة.",
    ),
    (m.SayNone(SMALL_PURPLE_STAR), "لا توجد نجمات بنفسجية صغيرة في الصورة."),
    (m.SayTotal(1), "تحتوي الصورة على عنصر واحد في المجموع."),
    (m.SayTotal(2), "تحتوي الصورة على عنصرين في المجموع."),
    (m.SayTotal(5), "تحتوي الصورة على خمسة عناصر في المجموع."),
    (m.SayRegion(BLUE_STAR, Region.BOTTOM_RIGHT), "تقع النجمة الزرقاء في الزاوية السفلية اليمنى."),
    (
        m.SaySide(BLUE_STAR, Side.ABOVE, BIG_GREEN_SQUARE),
        "تقع النجمة الزرقاء فوق المربع الأخضر الكبير.",
    ),
    (m.SayBackground(), "الخلفية بيضاء ولا يظهر أي شيء آخر."),
    (
        m.SayMore(Group(3, CIRCLE), Group(1, SQUARE), True),
        "نعم، عدد الدوائر أكبر من عدد المربعات: ثلاث دوائر ومربع واحد.",
    ),
    (
        m.SayMore(Group(1, STAR), Group(2, SQUARE), False),
        "لا، عدد النجمات ليس أكبر من عدد المربعات: نجمة واحدة ومربعان.",
    ),
    (m.SayLeft(BLUE_STAR, 1), "هناك نجمة زرقاء واحدة، لذا لا تبقى أي نجمة زرقاء."),
    (m.SayLeft(RED_CIRCLE, 2), "هناك دائرتان حمراوان، لذا تبقى دائرة حمراء واحدة."),
    (m.SayLeft(RED_CIRCLE, 3), "هناك ثلاث دوائر حمراء، لذا تبقى دائرتان حمراوان."),
    (m.SayLeft(BLACK_CROSS, 6), "هناك ستة صلبان سوداء، لذا تبقى خمسة صلبان سوداء."),
    (m.SayBox(RED_CIRCLE, BOX), "تقع الدائرة الحمراء داخل الإطار [0.25, 0.00, 0.50, 0.25]."),
    (m.SayWidth(BLUE_STAR, 48), "يبلغ عرض النجمة الزرقاء 48 px."),
    (
        m.SayLink(STAR, URL),
        "يمكنك قراءة المزيد عن النجمات على الرابط https://example.org/shapes/star .",
    ),
    (
        m.SayList((Group(1, RED_CIRCLE), Group(2, SMALL_PURPLE_STAR), Group(5, BLACK_CROSS))),
        "- دائرة حمراء\n- نجمتان بنفسجيتان صغيرتان\n- خمسة صلبان سوداء",
    ),
]


@pytest.mark.parametrize(("message", "text"), SENTENCES)
def test_arabic_sentence_is_exact(message: Message, text: str) -> None:
    assert say(message) == text
