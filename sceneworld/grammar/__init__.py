"""One grammar a language: a table of sentences; here messages become turns.

A grammar's SENTENCES has a sentence for every message: a text, or a tuple of them to choose from
by the message's variant, or a function of its fields. That of SayList says one line of the list.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from palo.languages import LANGUAGES, Language
from sceneworld.messages import Message, SayList

# Those that have a grammar here: a further language of the table need not have one.
SPOKEN = tuple(lang for lang in LANGUAGES if Path(__file__).with_name(f"{lang}.py").is_file())

Sentences = Mapping[type[Message], str | tuple[str, ...] | Callable[..., str]]


def joined(phrases: Sequence[str], comma: str, conjunction: str) -> str:
    """`A`, `A and B`, `A, B and C`; spaces are part of the comma and the conjunction."""
    *first, last = phrases
    return conjunction.join([comma.join(first), last]) if first else last


def say_turn(messages: tuple[Message, ...], lang: str) -> str:
    """Say a whole turn: sentences in a row, a list on lines of its own."""
    gap = " " if LANGUAGES[Language(lang)].spaced else ""
    text = ""
    for number, message in enumerate(messages):
        if number:
            beside_list = isinstance(message, SayList) or isinstance(messages[number - 1], SayList)
            text += "\n" if beside_list else gap
        text += say(message, lang)
    return text


@lru_cache(maxsize=65536)
def say(message: Message, lang: str) -> str:
    """One message as a sentence, or as a list. Raises TypeError for what has no sentence."""
    grammar: Sentences = importlib.import_module(f"sceneworld.grammar.{lang}").SENTENCES
    sentence = grammar.get(type(message))
    if sentence is None:
        raise TypeError(f"Nothing in '{lang}' says {message!r}")
    if isinstance(message, SayList) and callable(sentence):
        return "\n".join(f"- {sentence(group.count, group.kind)}" for group in message.groups)
    fields = vars(message).values()
    if callable(sentence):
        text = sentence(*fields)
    else:
        text = sentence if isinstance(sentence, str) else sentence[next(iter(fields))]
    return text[0].upper() + text[1:]
