"""Traditional Chinese and Arabic letters in Urdu are found character by character."""

from palo.checks.script import arabic_letters, traditional_characters


def test_traditional_characters_are_those_simplified_chinese_lacks():
    assert traditional_characters("我們試試看！") == ["們", "試"]
    assert traditional_characters("我们试试看！圆是红色的。") == []
    assert traditional_characters("abc 円 ю") == []


def test_arabic_letters_are_named_with_their_urdu_twins():
    assert arabic_letters("دائره سرخ هے كيا") == [("ه", "ہ"), ("ك", "ک"), ("ي", "ی")]
    assert arabic_letters("دائرہ سرخ ہے کیا") == []
