"""Turns one item of a LLaVA-Instruct list into a Sample, or says why it cannot be one."""

import hashlib
import json
import re
from typing import Any

from palo.llava import MAX_ITEM_CHARS, Oversized
from palo.schemas import IMAGE_TAG, Role, Sample, Turn

_SURROGATE = re.compile("[\ud800-\udfff]")


class Malformed(ValueError):
    """Why an item is set aside; the message is the reason."""


def parse_sample(item: Any, origin: str, max_turn_chars: int) -> Sample:
    """The sample of one list item; its `sample_id` has no counter yet (see ingest).

    Raises Malformed.
    """
    if isinstance(item, Oversized):
        raise Malformed(
            f"the item has {item.num_chars} characters of JSON, over {MAX_ITEM_CHARS}: "
            "no turn of it is read"
        )
    if not isinstance(item, dict):
        raise Malformed(f"an item must be an object, not {type(item).__name__}")
    source_id = _source_id(item)
    image = _image(item)
    conversation = item.get("conversations")
    if not isinstance(conversation, list):
        raise Malformed("conversations is missing or no list")
    if not conversation:
        raise Malformed("conversations is empty")
    turns = tuple(
        _turn(value, number, max_turn_chars) for number, value in enumerate(conversation, start=1)
    )
    if len(turns) % 2:
        raise Malformed("the last question has no answer")
    if image is None and any(IMAGE_TAG in turn.text for turn in turns):
        raise Malformed(f"a turn has {IMAGE_TAG} but the sample has no image")
    sample_id = f"{source_id or 'sample'}-{_content_digest(image, turns)}"
    return Sample(sample_id, source_id, image, turns, origin)


def _source_id(item: dict[str, Any]) -> str:
    value = item.get("id", "")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Malformed("id must be text or a whole number")
    return _clean(str(value), "id")


def _image(item: dict[str, Any]) -> str | None:
    value = item.get("image")
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise Malformed("image must be a path")
    return _clean(value, "image")


def _turn(value: Any, number: int, max_turn_chars: int) -> Turn:
    if not isinstance(value, dict):
        raise Malformed(f"turn {number} must be an object")
    wanted = Role.HUMAN if number % 2 else Role.GPT
    if value.get("from") != wanted:
        raise Malformed(f"turn {number} is from {value.get('from')!r}, not {wanted.value!r}")
    text = value.get("value")
    if not isinstance(text, str):
        raise Malformed(f"turn {number} has no text")
    if not text.strip():
        raise Malformed(f"turn {number} is empty")
    if len(text) > max_turn_chars:
        raise Malformed(
            f"turn {number} has {len(text)} characters, over max_turn_chars {max_turn_chars}"
        )
    return Turn(wanted, _clean(text, f"turn {number}"))


def _clean(text: str, where: str) -> str:
    """Text that Arrow, SQLite and every tokenizer take as it is."""
    if "\0" in text:
        raise Malformed(f"{where} holds a NUL character")
    if _SURROGATE.search(text):
        raise Malformed(f"{where} holds a lone surrogate or invalid UTF-8")
    return text


def _content_digest(image: str | None, turns: tuple[Turn, ...]) -> str:
    """8 hex digits that depend on what is said, never on where in the file it stands."""
    content = json.dumps([image, [[turn.role, turn.text] for turn in turns]], ensure_ascii=False)
    return hashlib.blake2b(content.encode("utf-8"), digest_size=4).hexdigest()
