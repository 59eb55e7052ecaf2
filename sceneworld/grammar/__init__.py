"""One grammar a language: `say(message) -> str` in each module; here they become turns."""

import importlib
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import cast

from palo.languages import LANGUAGES, Language
from sceneworld.messages import Message, SayList

# Those that have a grammar here: a further language of the table need not have one.
SPOKEN = tuple(lang for lang in LANGUAGES if Path(__file__).with_name(f"{lang}.py").is_file())


@cache
def _grammar(lang: str) -> Callable[[Message], str]:
    """Load a language's grammar when it is first used."""
    module = importlib.import_module(f"sceneworld.grammar.{Language(lang)}")
    return cast(Callable[[Message], str], module.say)


@lru_cache(maxsize=65536)
def _say(message: Message, lang: str) -> str:
    return _grammar(lang)(message)


def say_turn(messages: tuple[Message, ...], lang: str) -> str:
    """Say a whole turn: sentences in a row, a list on lines of its own."""
    gap = " " if LANGUAGES[Language(lang)].spaced else ""
    text = ""
    for number, message in enumerate(messages):
        if number:
            beside_list = isinstance(message, SayList) or isinstance(messages[number - 1], SayList)
            text += "\n" if beside_list else gap
        text += _say(message, lang)
    return text
