"""What the Hub refuses is refused here, and its own lists agree."""

import json
from importlib.resources import files

import pytest

from data_cards.card_format import problems, size_category

GOOD = {
    "language": ["ur"],
    "license": "other",
    "license_name": "x",
    "license_link": "LICENSE.md",
    "size_categories": ["n<1K"],
    "configs": [{"config_name": "ur", "data_files": [{"split": "train", "path": "data/ur/*"}]}],
}
BAD = [
    ({"language": ["urd"]}, "language 'urd' is unknown"),
    ({"license": "Apache 2"}, "license 'Apache 2' is unknown"),
    ({"license": "mit"}, "license_name and license_link go with 'other'"),
    ({"license_link": None}, "license_name and license_link go with 'other'"),
    ({"size_categories": ["small"]}, "size_categories 'small' is unknown"),
    ({"pipeline_tag": "talk"}, "pipeline_tag 'talk' is unknown"),
    ({"library_name": "palo"}, "library_name 'palo' is unknown"),
    ({"base_model": ["/data/model"]}, "'/data/model' is no repository's id"),
    ({"configs": [{"config_name": "a b"}]}, "config 'a b' is no name"),
    ({"configs": [{"config_name": "a"}] * 2}, "a config is there twice"),
    (
        {"configs": [{"config_name": "a", "data_files": [{"split": "a-b", "path": "/x"}]}]},
        "data_files {'split': 'a-b', 'path': '/x'} need a split and a path of the repository",
    ),
    (
        {"model-index": [{"results": [{"metrics": [{"type": "accuracy", "value": "?"}]}]}]},
        "the result {'type': 'accuracy', 'value': '?'} is no number",
    ),
]


def test_good_metadata_have_no_problems():
    assert problems(GOOD) == []


@pytest.mark.parametrize(("change", "told"), BAD, ids=[told for _, told in BAD])
def test_what_the_hub_would_refuse_is_told(change, told):
    assert told in problems(GOOD | change)


def test_a_missing_license_is_told():
    assert problems({"language": "ur"}) == ["license is missing"]


@pytest.mark.parametrize(
    ("rows", "name"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (2_100_000, "1M<n<10M")]
)
def test_sizes_have_the_hubs_names(rows, name):
    assert size_category(rows) == name
    known = files("datasets") / "utils" / "resources" / "size_categories.json"
    assert name in json.loads(known.read_text(encoding="utf-8"))
