"""Image tags keep their place and the white space around them."""

import pytest

from palo.checks.structure import image_frame, image_tags_moved, reframed, without_frame


@pytest.mark.parametrize(
    ("text", "frame", "rest"),
    [
        ("<image>\nWhat?", ("<image>\n", ""), "What?"),
        ("What?\n<image>", ("", "\n<image>"), "What?"),
        ("<image><image> \n红色？", ("<image><image> \n", ""), "红色？"),
        ("See <image> here", ("", ""), "See <image> here"),
        (" plain ", ("", ""), " plain "),
        ("<image>", ("<image>", ""), ""),
    ],
)
def test_the_frame_is_cut_off_byte_for_byte(text, frame, rest):
    assert image_frame(text) == frame
    assert without_frame(text) == rest


def test_a_text_without_or_with_another_frame_gets_the_sources():
    assert reframed("<image>\nWhat?", "什么？") == "<image>\n什么？"
    assert reframed("<image>\nWhat?", "什么？\n<image>") == "<image>\n什么？"
    assert reframed("What?", "什么？") == "什么？"


@pytest.mark.parametrize(
    ("source", "target", "moved"),
    [
        ("<image>\nWhat?", "<image>\nکیا؟", False),
        ("<image>\nWhat?", "<image> کیا؟", True),
        ("<image>\nWhat?", "کیا؟\n<image>", True),
        ("<image>\nWhat?", "کیا؟", True),
        ("What?", "<image>\nکیا؟", True),
        ("See <image> now", "اب <image> دیکھیں", False),
        ("What?", "کیا؟", False),
    ],
)
def test_a_moved_tag_is_seen(source, target, moved):
    assert image_tags_moved(source, target) is moved
