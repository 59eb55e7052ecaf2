"""A trained checkpoint to talk to: answers come piece by piece, and can be stopped."""

import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import StoppingCriteria, StoppingCriteriaList

from palo.errors import UserError
from train.data.batches import Packer
from train.data.image_store import UnreadableImage
from train.data.images import load_picture, make_processor, pixel_values
from train.data.template import Encoded, Template
from train.model.checkpoint import load_checkpoint
from train.model.export import load_merged
from train.talk.conversation import Conversation, End, Limits, Prompt, make_prompt
from train.talk.streaming import CharacterStreamer


@dataclass(frozen=True)
class Sampling:
    """Greedy unless `temperature` is more than 0; then the same seed gives the same answer."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    max_new_tokens: int = 256


@dataclass(frozen=True)
class Reply:
    """A finished answer; `rounds_dropped` early ones had to go to make it fit."""

    text: str
    end: End
    num_tokens: int
    rounds_dropped: int


class Talker:
    """The model of a checkpoint folder, on the GPU in bfloat16, on a CPU in float32.

    `max_tokens` is the longest conversation it was trained on.
    """

    def __init__(self, folder: Path, max_tokens: int) -> None:
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if self.device == "cuda" else torch.float32
        if (folder / "config.json").is_file():
            model, self.tokenizer = load_checkpoint(folder, dtype)
        else:
            model, self.tokenizer = load_merged(folder)  # rounded once, after merging
        self.model: Any = model.to(self.device, dtype).eval()
        config: Any = self.model.config
        self.template = Template(self.tokenizer)
        self.processor = make_processor(config.vision_config.image_size)
        self.packer = Packer(
            config.image_token_id, config.image_seq_length, self.tokenizer.pad_token_id
        )
        positions = config.text_config.max_position_embeddings
        self.limits = Limits(min(max_tokens, positions), config.image_seq_length)
        self.busy = threading.Lock()  # one answer at a time: the random state is the process's

    def look_at(self, picture: Path) -> Conversation:
        """A new conversation about a picture. Raises UserError where it can't be read."""
        try:
            return Conversation(self._pixels(load_picture(picture)))
        except UnreadableImage as error:
            reason = str(error)
            raise UserError(f"{reason[0].upper()}{reason[1:]}") from None

    def ask(self, conversation: Conversation, question: str, sampling: Sampling) -> "Answering":
        """Begins to answer; the round joins the conversation once it has ended. Raises TooLong."""
        question = question.strip()
        prompt = make_prompt(
            self.template,
            conversation.rounds,
            question,
            conversation.pixels is not None,
            self.limits,
            sampling.max_new_tokens,
        )
        return Answering(self, conversation, question, prompt, sampling)

    def _pixels(self, picture: Image.Image) -> torch.Tensor:
        return pixel_values([picture], self.processor)[0]


class Answering:
    """An answer on its way: iterate for its pieces; `reply` is there afterwards."""

    def __init__(
        self,
        talker: Talker,
        conversation: Conversation,
        question: str,
        prompt: Prompt,
        sampling: Sampling,
    ) -> None:
        self._talker, self._conversation, self._question = talker, conversation, question
        self._prompt, self._sampling = prompt, sampling
        self._streamer = CharacterStreamer(talker.tokenizer)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._last_token: int | None = None
        self.reply: Reply | None = None

    def stop(self) -> None:
        """No more tokens after the one that is being made; may be called from any thread."""
        self._stop.set()

    def __iter__(self) -> Generator[str, None, None]:
        """Pieces of text. Left early, it stops, and what was said is a round all the same."""
        with self._talker.busy:
            thread = threading.Thread(target=self._generate, name="answer", daemon=True)
            thread.start()
            said = ""
            try:
                for piece in filter(None, self._streamer):
                    said += piece
                    yield piece
            finally:
                self.stop()
                thread.join()
                self._finish(said)
        if self._error is not None:
            raise self._error

    def _finish(self, said: str) -> None:
        text = said.rstrip()
        if self._last_token == self._talker.tokenizer.eos_token_id:
            end = End.DONE
        elif self._streamer.num_tokens >= self._prompt.new_tokens:
            end = End.LENGTH
        else:
            end = End.STOPPED
        self._conversation.add(self._question, text)
        dropped = self._prompt.rounds_dropped
        del self._conversation.rounds[:dropped]  # else they would be dropped again, and said so
        self.reply = Reply(text, end, self._streamer.num_tokens, dropped)

    def _generate(self) -> None:
        try:
            self._last_token = int(self._written()[0, -1])
        except BaseException as error:  # raised where the answer is read
            self._error = error
        finally:
            self._streamer.end()

    @torch.inference_mode()
    def _written(self) -> torch.Tensor:
        talker, sampling = self._talker, self._sampling
        ids = torch.tensor([talker.packer.expand(Encoded(self._prompt.ids, ())).input_ids])
        ids = ids.to(talker.device)
        more: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            torch.manual_seed(sampling.seed)
            more = {"do_sample": True, "temperature": sampling.temperature}
            more |= {"top_p": sampling.top_p, "top_k": 0}
        if self._conversation.pixels is not None:
            pixels = self._conversation.pixels[None]
            more["pixel_values"] = pixels.to(talker.device, talker.model.dtype)
        return talker.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=self._prompt.new_tokens,
            eos_token_id=talker.tokenizer.eos_token_id,
            pad_token_id=talker.tokenizer.pad_token_id,
            streamer=self._streamer,
            stopping_criteria=StoppingCriteriaList([_Stopped(self._stop)]),
            **more,
        )


class _Stopped(StoppingCriteria):
    """True for every row once the event is set."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.full((len(input_ids),), self._event.is_set(), device=input_ids.device)
