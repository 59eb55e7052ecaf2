"""Arabic (Modern Standard, unvocalised): dual, counted nouns, gender polarity of numerals.

From 3 on the numeral takes the gender opposite to the singular noun's and a plural noun, whose
adjective is feminine singular because the noun is no person. Case shows only where letters write
it: the dual (ـان, ـين) and the alif of the indefinite accusative after "كم". Colour and size follow
the noun in this order.
"""

from sceneworld import messages as m
from sceneworld.grammar import Sentences
from sceneworld.grammar.lexicon import Gender, Lexicon, Noun
from sceneworld.messages import Colour, Group, Kind, Region, Shape, Side, Size

# The accusative is indefinite, the dual nominative; adjectives have the form that goes with each.
SINGULAR, ACCUSATIVE, DUAL, PLURAL = range(4)


def adjective(masculine: str, feminine: str) -> str:
    """From masculine singular, accusative and dual, feminine singular and dual."""
    singular, dual = feminine.split()
    return f"{masculine} {singular} | {singular} {singular} {dual} {singular}"


LEXICON = Lexicon(
    nouns={
        None: Noun("عنصر عنصرا عنصران عناصر"),
        Shape.CIRCLE: Noun("دائرة دائرة دائرتان دوائر", Gender.FEMININE),
        Shape.SQUARE: Noun("مربع مربعا مربعان مربعات"),
        Shape.TRIANGLE: Noun("مثلث مثلثا مثلثان مثلثات"),
        Shape.STAR: Noun("نجمة نجمة نجمتان نجمات", Gender.FEMININE),
        Shape.HEART: Noun("قلب قلبا قلبان قلوب"),
        Shape.CROSS: Noun("صليب صليبا صليبان صلبان"),
    },
    colours={
        Colour.RED: adjective("أحمر أحمر أحمران", "حمراء حمراوان"),
        Colour.BLUE: adjective("أزرق أزرق أزرقان", "زرقاء زرقاوان"),
        Colour.GREEN: adjective("أخضر أخضر أخضران", "خضراء خضراوان"),
        Colour.YELLOW: adjective("أصفر أصفر أصفران", "صفراء صفراوان"),
        Colour.ORANGE: adjective("برتقالي برتقاليا برتقاليان", "برتقالية برتقاليتان"),
        Colour.PURPLE: adjective("بنفسجي بنفسجيا بنفسجيان", "بنفسجية بنفسجيتان"),
        Colour.BLACK: adjective("أسود أسود أسودان", "سوداء سوداوان"),
    },
    sizes={
        Size.SMALL: adjective("صغير صغيرا صغيران", "صغيرة صغيرتان"),
        Size.BIG: adjective("كبير كبيرا كبيران", "كبيرة كبيرتان"),
    },
    order=("noun", "colour", "size"),
)
NUMBERS = {
    1: "واحد | واحدة",
    2: "اثنان | اثنتان",
    3: "ثلاثة | ثلاث",
    4: "أربعة | أربع",
    5: "خمسة | خمس",
    6: "ستة | ست",
}
REGIONS = {
    Region.TOP_LEFT: "في الزاوية العلوية اليسرى",
    Region.TOP_RIGHT: "في الزاوية العلوية اليمنى",
    Region.BOTTOM_LEFT: "في الزاوية السفلية اليسرى",
    Region.BOTTOM_RIGHT: "في الزاوية السفلية اليمنى",
}
SIDES = {Side.LEFT: "إلى يسار", Side.RIGHT: "إلى يمين", Side.ABOVE: "فوق", Side.BELOW: "تحت"}
EXISTS, LIES, REMAINS = "يوجد | توجد", "يقع | تقع", "يبقى | تبقى"
name, agree, colour_of, size_of = LEXICON.phrase, LEXICON.agree, LEXICON.colour, LEXICON.size


def the(kind: Kind, form: int = SINGULAR) -> str:
    return " ".join(f"ال{word}" for word in LEXICON.words(kind, form))


def the_plural(kind: Kind) -> str:
    return the(kind, PLURAL)


def specified(kind: Kind) -> str:
    """The singular accusative that "كم" asks for: "مربعا أحمر صغيرا"."""
    return name(kind, ACCUSATIVE)


def counted(count: int, kind: Kind, oblique: bool = False) -> str:
    """The number and the things, 1 to 6; the dual is its own number."""
    if count == 1:
        return f"{name(kind)} {agree(NUMBERS[1], kind)}"
    if count == 2:
        words = LEXICON.words(kind, DUAL)
        return " ".join(f"{word.removesuffix('ان')}ين" if oblique else word for word in words)
    return f"{agree(NUMBERS[count], kind)} {name(kind, PLURAL)}"


def item(count: int, kind: Kind) -> str:
    """A member of a list, where a single thing needs no number."""
    return name(kind) if count == 1 else counted(count, kind)


def listed(groups: tuple[Group, ...]) -> str:
    """The groups joined by "و", with commas from three groups on."""
    return (" و" if len(groups) < 3 else "، و").join(item(g.count, g.kind) for g in groups)


def ask_size(kind: Kind) -> str:
    return f"هل {the(kind)} {size_of(Size.BIG, kind)} أم {size_of(Size.SMALL, kind)}؟"


def ask_side(kind: Kind, side: Side, other: Kind) -> str:
    return f"هل {agree(LIES, kind)} {the(kind)} {SIDES[side]} {the(other)}؟"


def ask_left(kind: Kind) -> str:
    asked = f"فكم {specified(kind)} {agree(REMAINS, kind)}"
    return f"إذا {agree('أزيل | أزيلت', kind)} {counted(1, kind)}، {asked}؟"


def say_more(group: Group, other: Group, more: bool) -> str:
    start, verdict = ("نعم", "أكبر") if more else ("لا", "ليس أكبر")
    compared = f"عدد {the_plural(group.kind)} {verdict} من عدد {the_plural(other.kind)}"
    things = f"{counted(group.count, group.kind)} و{counted(other.count, other.kind)}"
    return f"{start}، {compared}: {things}."


def say_left(kind: Kind, before: int) -> str:
    """What is left has a verb that is feminine before any plural of things."""
    if before == 1:
        rest = f"لا {agree(REMAINS, kind)} أي {name(kind)}"
    else:
        rest = f"{agree(REMAINS, kind) if before < 4 else 'تبقى'} {counted(before - 1, kind)}"
    return f"هناك {counted(before, kind)}، لذا {rest}."


SENTENCES: Sentences = {
    m.AskColour: lambda kind: f"ما لون {the(kind)}؟",
    m.AskShape: lambda kind: f"ما شكل {the(kind)}؟",
    m.AskSize: ask_size,
    m.AskCount: lambda kind: f"كم {specified(kind)} {agree(EXISTS, kind)} هنا؟",
    m.AskRegion: lambda kind: f"أين {agree(LIES, kind)} {the(kind)}؟",
    m.AskExists: lambda kind: f"هل {agree(EXISTS, kind)} {name(kind)} في الصورة؟",
    m.AskSide: ask_side,
    m.AskList: ("ماذا ترى في الصورة؟", "اذكر جميع العناصر الموجودة في الصورة."),
    m.AskDetail: (
        "صف الصورة التالية.",
        "قدم وصفا مفصلا للصورة.",
        "ماذا يظهر في هذه الصورة؟",
        "هل يمكنك وصف الصورة بالتفصيل؟",
    ),
    m.AskMore: lambda kind, other: f"هل عدد {the_plural(kind)} أكبر من عدد {the_plural(other)}؟",
    m.AskLeft: ask_left,
    m.AskBox: lambda kind: f"حدد الإطار المحيط ب{the(kind)}.",
    m.AskWidth: lambda kind: f"ما عرض {the(kind)}؟",
    m.AskLink: lambda kind: f"أين يمكنني قراءة المزيد عن {the_plural(kind)}؟",
    m.ShortColour: lambda colour, kind: f"{colour_of(colour, kind)}.",
    m.ShortShape: lambda shape: f"{name(Kind(shape))}.",
    m.ShortSize: lambda size, kind: f"{size_of(size, kind)}.",
    m.ShortCount: lambda count, kind: (
        f"{agree(NUMBERS[count], kind)}." if count else f"لا {agree(EXISTS, kind)}."
    ),
    m.ShortRegion: lambda region: f"{REGIONS[region]}.",
    m.Yes: "نعم.",
    m.No: "لا.",
    m.SayColour: lambda kind, colour: f"{the(kind)} {colour_of(colour, kind)}.",
    m.SayShape: lambda kind, shape: f"{the(kind)} {name(Kind(shape))}.",
    m.SaySize: lambda kind, size: f"{the(kind)} {size_of(size, kind)}.",
    m.SayThere: lambda groups: f"في الصورة {listed(groups)}.",
    m.SayNone: lambda kind: f"لا توجد {name(kind, PLURAL)} في الصورة.",
    m.SayTotal: lambda count: f"تحتوي الصورة على {counted(count, Kind(), True)} في المجموع.",
    m.SayRegion: lambda kind, region: f"{agree(LIES, kind)} {the(kind)} {REGIONS[region]}.",
    m.SaySide: lambda kind, side, other: (
        f"{agree(LIES, kind)} {the(kind)} {SIDES[side]} {the(other)}."
    ),
    m.SayBackground: "الخلفية بيضاء ولا يظهر أي شيء آخر.",
    m.SayMore: say_more,
    m.SayLeft: say_left,
    m.SayBox: lambda kind, box: f"{agree(LIES, kind)} {the(kind)} داخل الإطار {box}.",
    m.SayWidth: lambda kind, width_px: f"يبلغ عرض {the(kind)} {width_px} px.",
    m.SayLink: lambda kind, url: f"يمكنك قراءة المزيد عن {the_plural(kind)} على الرابط {url} .",
    m.SayList: item,
}
