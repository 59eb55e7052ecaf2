"""A set's questions in every language it is in, with what each answer is a function of."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from palo.benchmark_set import Answer, BenchmarkSet, Question, read_set, set_languages
from palo.errors import UserError
from palo.files import digest
from train.data.image_store import UnreadableImage, stored

# Field of a reference answer that most sets lack. true: nothing but this text is right; a list:
# all texts that are. Where it is there, nobody needs to be asked whether an answer is right.
EXACT = "exact"


@dataclass(frozen=True)
class Item:
    """One question in one language; `accepted` are all right answers, where they are known."""

    lang: str
    question_id: str
    category: str
    question: str
    image: Path
    image_digest: str
    context: str
    reference: str
    accepted: tuple[str, ...] = ()

    def key(self, checkpoint: str, decoding: dict[str, object]) -> str:
        """Of its answer: model, decoding, words and picture; no name and no place."""
        return digest([checkpoint, decoding, self.question, self.image_digest])

    @property
    def name(self) -> str:
        return f"question {self.question_id} ({self.lang})"


def read_items(root: Path, reference: str | None) -> list[Item]:
    """By language, then in the order of the files.

    Raises UserError for a folder that is no such set, and for a picture that is not there.
    """
    if not root.is_dir():
        raise UserError(f"No folder {root}. Give --bench the folder of a LLaVA-Bench-style set.")
    found = set_languages(root)
    if not found:
        raise UserError(
            f"{root} holds no LLaVA-Bench-style set: no questions.jsonl there, nor in a folder "
            "of a language below it, such as en/ or ur/."
        )
    digests: dict[Path, str] = {}
    return [item for lang in found for item in _items(read_set(root, lang), reference, digests)]


def set_digest(items: list[Item]) -> str:
    """8 hex digits over all that is asked and shown."""
    parts = [
        [value for name, value in sorted(vars(one).items()) if name != "image"] for one in items
    ]
    return digest(sorted(parts))[:8]


def _items(bench: BenchmarkSet, reference: str | None, digests: dict[Path, str]) -> Iterator[Item]:
    references = bench.reference(reference)
    for one in bench.questions:
        image = bench.images_dir / one.image
        if image not in digests:
            digests[image] = _image_digest(image, one, bench)
        yield Item(
            bench.lang,
            str(one.question_id),
            one.category,
            one.text,
            image,
            digests[image],
            bench.caption(one.image),
            references[one.question_id].text,
            _accepted(references[one.question_id], bench),
        )


def _accepted(answer: Answer, bench: BenchmarkSet) -> tuple[str, ...]:
    exact = answer.source.fields.get(EXACT, False)
    if isinstance(exact, bool):
        return (answer.text,) if exact else ()
    if not (exact and isinstance(exact, list) and all(isinstance(one, str) for one in exact)):
        raise UserError(
            f"Answer to question {answer.question_id} in {bench.folder}: field '{EXACT}' is "
            f"{str(exact)[:40]!r}; it must be true or a list of texts."
        )
    return tuple(exact)


def _image_digest(path: Path, question: Question, bench: BenchmarkSet) -> str:
    try:
        content = path.read_bytes() if path.is_file() else _from_archive(path)
    except UnreadableImage as error:
        raise UserError(
            f"Question {question.question_id} in {bench.folder}: {error}. Put the pictures of the "
            f"set into {bench.images_dir}."
        ) from None
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _from_archive(path: Path) -> bytes:
    member = stored(path)
    if member is None:
        raise UnreadableImage(f"no image {path}")
    return member.read()
