"""Where `<image>` stands in a turn: bytes around the language that must come back as they are."""

import re

from palo.schemas import IMAGE_TAG

_LEADING = re.compile(rf"(?:\s*{IMAGE_TAG})+\s*")
_TRAILING = re.compile(rf"\s*(?:{IMAGE_TAG}\s*)+$")


def image_frame(text: str) -> tuple[str, str]:
    """The image tags with their white space at the start and at the end; "" for none."""
    if IMAGE_TAG not in text:
        return "", ""
    leading = _LEADING.match(text)
    prefix = leading.group() if leading else ""
    trailing = _TRAILING.search(text, len(prefix))
    return prefix, trailing.group() if trailing else ""


def without_frame(text: str) -> str:
    """The text between the tags: what a reviewer reads."""
    prefix, suffix = image_frame(text)
    return text[len(prefix) : len(text) - len(suffix)] if prefix or suffix else text


def reframed(source: str, text: str) -> str:
    """A person's text with the source's image tags, which they may have left out."""
    prefix, suffix = image_frame(source)
    return prefix + without_frame(text) + suffix if prefix or suffix else text


def image_tags_moved(source: str, target: str) -> bool:
    """Whether a tag was lost, added, or stands elsewhere than in the source."""
    if IMAGE_TAG not in source and IMAGE_TAG not in target:
        return False
    return image_frame(source) != image_frame(target) or source.count(IMAGE_TAG) != target.count(
        IMAGE_TAG
    )
