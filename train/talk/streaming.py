"""Tokens into text as they come, never in the middle of a character."""

from typing import Any

from transformers import TextIteratorStreamer

BROKEN = "\ufffd"  # what a decoder shows for bytes that are not yet, or never will be, a character


class CharacterStreamer(TextIteratorStreamer):
    """Hands out whatever is whole at once; iterate over it for pieces of text.

    transformers' own holds a text back to its last blank or Han character, so Japanese kana come
    only at the end of an answer, and Chinese characters of several tokens late.
    """

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._ids: list[int] = []
        self._shown = 0

    @property
    def num_tokens(self) -> int:
        return len(self._ids)

    def put(self, value: Any) -> None:
        """`value` holds the prompt at first, then one token at a time."""
        if self.next_tokens_are_prompt:
            self.next_tokens_are_prompt = False
            return
        self._ids += value.reshape(-1).tolist()
        self._show(self._text().rstrip(BROKEN))

    def end(self) -> None:
        """What is still broken now is part of the answer."""
        self._show(self._text())
        self.next_tokens_are_prompt = True
        self.on_finalized_text("", stream_end=True)

    def _text(self) -> str:
        # the blank after `ASSISTANT:` belongs to the template
        return str(self.tokenizer.decode(self._ids, **self.decode_kwargs)).lstrip()

    def _show(self, whole: str) -> None:
        """A byte that is new may break, for the moment, characters before it: then nothing is."""
        if len(whole) > self._shown:
            self.on_finalized_text(whole[self._shown :])
            self._shown = len(whole)
