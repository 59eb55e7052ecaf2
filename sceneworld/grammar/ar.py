"""Arabic (Modern Standard, unvocalised): dual, counted nouns, gender polarity of numerals.

From 3 on the numeral takes the gender opposite to the singular noun's and a plural noun, whose
adjective is feminine singular because the noun is no person. Case shows only where letters write
it: the dual (ـان, ـين) and the alif of the indefinite accusative after "كم". Colour and size follow
the noun in this order.
"""

from dataclasses import dataclass

from sceneworld import messages as m
from sceneworld.messages import Colour, Group, Kind, Message, Region, Shape, Side, Size


@dataclass(frozen=True)
class Noun:
    """`accusative` is indefinite singular, `dual` is nominative."""

    singular: str
    accusative: str
    dual: str
    plural: str
    feminine: bool = False


@dataclass(frozen=True)
class Adjective:
    """The singulars, the masculine indefinite accusative and the nominative duals."""

    masculine: str
    feminine: str
    accusative: str
    masculine_dual: str
    feminine_dual: str


NOUNS: dict[Shape | None, Noun] = {
    None: Noun("عنصر", "عنصرا", "عنصران", "عناصر"),
    Shape.CIRCLE: Noun("دائرة", "دائرة", "دائرتان", "دوائر", feminine=True),
    Shape.SQUARE: Noun("مربع", "مربعا", "مربعان", "مربعات"),
    Shape.TRIANGLE: Noun("مثلث", "مثلثا", "مثلثان", "مثلثات"),
    Shape.STAR: Noun("نجمة", "نجمة", "نجمتان", "نجمات", feminine=True),
    Shape.HEART: Noun("قلب", "قلبا", "قلبان", "قلوب"),
    Shape.CROSS: Noun("صليب", "صليبا", "صليبان", "صلبان"),
}
COLOURS = {
    Colour.RED: Adjective("أحمر", "حمراء", "أحمر", "أحمران", "حمراوان"),
    Colour.BLUE: Adjective("أزرق", "زرقاء", "أزرق", "أزرقان", "زرقاوان"),
    Colour.GREEN: Adjective("أخضر", "خضراء", "أخضر", "أخضران", "خضراوان"),
    Colour.YELLOW: Adjective("أصفر", "صفراء", "أصفر", "أصفران", "صفراوان"),
    Colour.ORANGE: Adjective("برتقالي", "برتقالية", "برتقاليا", "برتقاليان", "برتقاليتان"),
    Colour.PURPLE: Adjective("بنفسجي", "بنفسجية", "بنفسجيا", "بنفسجيان", "بنفسجيتان"),
    Colour.BLACK: Adjective("أسود", "سوداء", "أسود", "أسودان", "سوداوان"),
}
SIZES = {
    Size.SMALL: Adjective("صغير", "صغيرة", "صغيرا", "صغيران", "صغيرتان"),
    Size.BIG: Adjective("كبير", "كبيرة", "كبيرا", "كبيران", "كبيرتان"),
}
NUMBERS_WITH_MASCULINE = {
    1: "واحد",
    2: "اثنان",
    3: "ثلاثة",
    4: "أربعة",
    5: "خمسة",
    6: "ستة",
}
NUMBERS_WITH_FEMININE = {
    1: "واحدة",
    2: "اثنتان",
    3: "ثلاث",
    4: "أربع",
    5: "خمس",
    6: "ست",
}
REGIONS = {
    Region.TOP_LEFT: "في الزاوية العلوية اليسرى",
    Region.TOP_RIGHT: "في الزاوية العلوية اليمنى",
    Region.BOTTOM_LEFT: "في الزاوية السفلية اليسرى",
    Region.BOTTOM_RIGHT: "في الزاوية السفلية اليمنى",
}
SIDES = {
    Side.LEFT: "إلى يسار",
    Side.RIGHT: "إلى يمين",
    Side.ABOVE: "فوق",
    Side.BELOW: "تحت",
}
LIST_PROMPTS = ("ماذا ترى في الصورة؟", "اذكر جميع العناصر الموجودة في الصورة.")
DETAIL_PROMPTS = (
    "صف الصورة التالية.",
    "قدم وصفا مفصلا للصورة.",
    "ماذا يظهر في هذه الصورة؟",
    "هل يمكنك وصف الصورة بالتفصيل؟",
)


def say(message: Message) -> str:
    """The message as one Arabic sentence (or one list)."""
    text = _question(message) or _short_answer(message) or _sentence(message)
    if text is None:
        raise TypeError(f"Arabic has no sentence for {message!r}")
    return text


def _question(message: Message) -> str | None:
    match message:
        case m.AskColour(kind):
            return f"ما لون {the(kind)}؟"
        case m.AskShape(kind):
            return f"ما شكل {the(kind)}؟"
        case m.AskSize(kind):
            big, small = agree(SIZES[Size.BIG], kind), agree(SIZES[Size.SMALL], kind)
            return f"هل {the(kind)} {big} أم {small}؟"
        case m.AskCount(kind):
            return f"كم {specified(kind)} {verb('وجد', kind)} هنا؟"
        case m.AskRegion(kind):
            return f"أين {verb('قع', kind)} {the(kind)}؟"
        case m.AskExists(kind):
            return f"هل {verb('وجد', kind)} {noun_phrase(kind)} في الصورة؟"
        case m.AskSide(kind, side, other):
            return f"هل {verb('قع', kind)} {the(kind)} {SIDES[side]} {the(other)}؟"
        case m.AskList(variant):
            return LIST_PROMPTS[variant]
        case m.AskDetail(variant):
            return DETAIL_PROMPTS[variant]
        case m.AskMore(kind, other):
            return f"هل عدد {the_plural(kind)} أكبر من عدد {the_plural(other)}؟"
        case m.AskLeft(kind):
            removed = "أزيلت" if NOUNS[kind.shape].feminine else "أزيل"
            asked = f"فكم {specified(kind)} {verb('بقى', kind)}"
            return f"إذا {removed} {counted(1, kind)}، {asked}؟"
        case m.AskBox(kind):
            return f"حدد الإطار المحيط ب{the(kind)}."
        case m.AskWidth(kind):
            return f"ما عرض {the(kind)}؟"
        case m.AskLink(kind):
            return f"أين يمكنني قراءة المزيد عن {the_plural(kind)}؟"
    return None


def _short_answer(message: Message) -> str | None:
    match message:
        case m.ShortColour(colour, kind):
            return f"{agree(COLOURS[colour], kind)}."
        case m.ShortShape(shape):
            return f"{noun_phrase(Kind(shape))}."
        case m.ShortSize(size, kind):
            return f"{agree(SIZES[size], kind)}."
        case m.ShortCount(0, kind):
            return f"لا {verb('وجد', kind)}."
        case m.ShortCount(count, kind):
            return f"{number(count, kind)}."
        case m.ShortRegion(region):
            return f"{REGIONS[region]}."
        case m.Yes():
            return "نعم."
        case m.No():
            return "لا."
    return None


def _sentence(message: Message) -> str | None:
    match message:
        case m.SayColour(kind, colour):
            return f"{the(kind)} {agree(COLOURS[colour], kind)}."
        case m.SayShape(kind, shape):
            return f"{the(kind)} {noun_phrase(Kind(shape))}."
        case m.SaySize(kind, size):
            return f"{the(kind)} {agree(SIZES[size], kind)}."
        case m.SayThere(groups):
            return f"في الصورة {enumeration(groups)}."
        case m.SayNone(kind):
            return f"لا توجد {plural_phrase(kind)} في الصورة."
        case m.SayTotal(count):
            return f"تحتوي الصورة على {counted(count, Kind(), oblique=True)} في المجموع."
        case m.SayRegion(kind, region):
            return f"{verb('قع', kind)} {the(kind)} {REGIONS[region]}."
        case m.SaySide(kind, side, other):
            return f"{verb('قع', kind)} {the(kind)} {SIDES[side]} {the(other)}."
        case m.SayBackground():
            return "الخلفية بيضاء ولا يظهر أي شيء آخر."
        case m.SayMore(group, other, more):
            start, verdict = ("نعم", "أكبر") if more else ("لا", "ليس أكبر")
            compared = f"عدد {the_plural(group.kind)} {verdict} من عدد {the_plural(other.kind)}"
            things = f"{counted(group.count, group.kind)} و{counted(other.count, other.kind)}"
            return f"{start}، {compared}: {things}."
        case m.SayLeft(kind, before):
            return f"هناك {counted(before, kind)}، لذا {remaining(before - 1, kind)}."
        case m.SayBox(kind, box):
            return f"{verb('قع', kind)} {the(kind)} داخل الإطار {box}."
        case m.SayWidth(kind, width_px):
            return f"يبلغ عرض {the(kind)} {width_px} px."
        case m.SayLink(kind, url):
            return f"يمكنك قراءة المزيد عن {the_plural(kind)} على الرابط {url} ."
        case m.SayList(groups):
            return "\n".join(f"- {item(group)}" for group in groups)
    return None


def verb(stem: str, kind: Kind) -> str:
    """The present tense of the third person singular, agreeing with the kind."""
    return ("ت" if NOUNS[kind.shape].feminine else "ي") + stem


def agree(adjective: Adjective, kind: Kind) -> str:
    return adjective.feminine if NOUNS[kind.shape].feminine else adjective.masculine


def adjectives(kind: Kind) -> list[Adjective]:
    """Colour before size, as they stand after the noun."""
    colour = [COLOURS[kind.colour]] if kind.colour is not None else []
    size = [SIZES[kind.size]] if kind.size is not None else []
    return colour + size


def noun_words(kind: Kind) -> list[str]:
    return [NOUNS[kind.shape].singular, *(agree(word, kind) for word in adjectives(kind))]


def plural_words(kind: Kind) -> list[str]:
    return [NOUNS[kind.shape].plural, *(word.feminine for word in adjectives(kind))]


def noun_phrase(kind: Kind) -> str:
    return " ".join(noun_words(kind))


def plural_phrase(kind: Kind) -> str:
    return " ".join(plural_words(kind))


def the(kind: Kind) -> str:
    return " ".join(f"ال{word}" for word in noun_words(kind))


def the_plural(kind: Kind) -> str:
    return " ".join(f"ال{word}" for word in plural_words(kind))


def specified(kind: Kind) -> str:
    """The singular accusative that "كم" asks for: "مربعا أحمر صغيرا"."""
    if NOUNS[kind.shape].feminine:
        return noun_phrase(kind)
    return " ".join([NOUNS[kind.shape].accusative, *(word.accusative for word in adjectives(kind))])


def dual_phrase(kind: Kind, oblique: bool = False) -> str:
    noun = NOUNS[kind.shape]
    words = [noun.dual]
    for adjective in adjectives(kind):
        words.append(adjective.feminine_dual if noun.feminine else adjective.masculine_dual)
    return " ".join(f"{word.removesuffix('ان')}ين" if oblique else word for word in words)


def number(count: int, kind: Kind) -> str:
    feminine = NOUNS[kind.shape].feminine
    return (NUMBERS_WITH_FEMININE if feminine else NUMBERS_WITH_MASCULINE)[count]


def counted(count: int, kind: Kind, oblique: bool = False) -> str:
    """The number and the things, 1 to 6; the dual is its own number."""
    if count == 1:
        return f"{noun_phrase(kind)} {number(1, kind)}"
    if count == 2:
        return dual_phrase(kind, oblique)
    return f"{number(count, kind)} {plural_phrase(kind)}"


def remaining(count: int, kind: Kind) -> str:
    """What is left, with its verb, which is feminine before any plural of things."""
    if count == 0:
        return f"لا {verb('بقى', kind)} أي {noun_phrase(kind)}"
    left = "تبقى" if count > 2 else verb("بقى", kind)
    return f"{left} {counted(count, kind)}"


def item(group: Group) -> str:
    """A member of a list, where a single thing needs no number."""
    return noun_phrase(group.kind) if group.count == 1 else counted(group.count, group.kind)


def enumeration(groups: tuple[Group, ...]) -> str:
    """The groups joined by "و", with commas from three groups on."""
    items = [item(group) for group in groups]
    return " و".join(items) if len(items) < 3 else "، و".join(items)
