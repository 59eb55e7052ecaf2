"""Protected spans must come back as they were."""

import pytest

from refine.filters.placeholder import PlaceholderFilter


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("At [0.25, 0.5]: {a}", "{a}：[0.25, 0.5]", None),
        ("At [0.25, 0.5].", "[০.২৫, ০.৫]-এ।", ("reject", "missing or changed: '[0.25, 0.5]'")),
        (
            "See https://a.org/x.",
            "https://a.org/y देखें।",
            ("reject", "missing or changed: 'https://a.org/x'"),
        ),
        ("See it.", "`یہ` دیکھیں۔", ("review", "not in the English: '`یہ`'")),
        ("<image>\nWhat?", "کیا؟", None),  # the image tag is the structure filter's
    ],
)
def test_lost_spans_are_rejected_and_invented_ones_reviewed(look, source, target, expected):
    assert look(PlaceholderFilter(), source, target) == expected
