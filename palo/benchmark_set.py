"""A LLaVA-Bench-style set on disk, field for field as published: what lies where, read and checked.

    english = read_set(Path("data/bench"), "en")

One folder a language (`ur/`, or `urdu/` and `urdu/corrected/` as PALO publishes them; English may
lie in the root, as LLaVA publishes it) holds three kinds of JSON lines, and `images/` is shared:

- `questions.jsonl` (PALO: `question.jsonl`): question_id, image, text, category
- `answers_<model>.jsonl` (PALO: `answers.jsonl`): question_id, text; prompt, answer_id, model_id
- `context.jsonl`: image, caption (a text or a list of texts); id

Other fields are carried along. A line of which nothing changes is written as it was read.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palo.errors import UserError, listed, unknown
from palo.files import write_text
from palo.languages import ENGLISH, LANGUAGES, Language
from palo.paths import leads_out

QUESTIONS = ("questions.jsonl", "question.jsonl")
CONTEXT = "context.jsonl"
ANSWERS = "answers"
IMAGES = "images"
# LLaVA's reference; its folder also holds answers of models that were compared with it
PREFERRED = ("answers_gpt4", ANSWERS)

QuestionId = int | str


@dataclass(frozen=True)
class Line:
    """A question, an answer or a caption: all `fields` of the line in their order, the line itself,
    and where it stands. What is read of it is checked: properties raise UserError."""

    fields: Mapping[str, Any]
    raw: str = ""  # empty for one that was not read from a file
    place: str = field(default="", compare=False)  # `questions.jsonl, line 3`

    @property
    def question_id(self) -> QuestionId:
        value = self.fields.get("question_id")
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            raise self._not("question_id", value, "a number or a text")
        return value if isinstance(value, int) else self._text("question_id")

    @property
    def image(self) -> str:
        """A path below the images, never out of them."""
        if leads_out(value := self._text("image")):
            raise self.wrong("image", f"is {value!r}, a path that leads out of the images")
        return value

    @property
    def text(self) -> str:
        return self._text("text")

    @property
    def category(self) -> str:
        return self._text("category")

    @property
    def prompt(self) -> str | None:
        """The question as it was put, None where an answer doesn't say."""
        return self._text("prompt") if self.fields.get("prompt") else None

    @property
    def captions(self) -> tuple[str, ...]:
        """What a judge that sees no picture is told of it: mostly one text."""
        given = self.fields.get("caption")
        texts = given if isinstance(given, list) and given else [given]
        return tuple(self._checked("caption", text) for text in texts)

    def requiring(self, *names: str) -> "Line":
        """The same once these properties were read, so that what is wrong is said at once."""
        for name in names:
            getattr(self, name)
        return self

    def saying(self, **changed: Any) -> "Line":
        """The line with these fields: as it was read where none of them says anything new."""
        fields = {**self.fields, **changed}
        return self if fields == self.fields else Line(fields)

    def __str__(self) -> str:
        if self.raw:
            return self.raw
        text = json.dumps(self.fields, ensure_ascii=False)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # half a character in a field that is only carried along
            return json.dumps(self.fields)
        return text

    def wrong(self, name: str, what: str) -> UserError:
        return UserError(f"{self.place}: field '{name}' {what}.")

    def _text(self, name: str) -> str:
        return self._checked(name, self.fields.get(name))

    def _checked(self, name: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._not(name, value, "a text")
        if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise self.wrong(name, "holds a NUL or half a character (a lone surrogate)")
        return value

    def _not(self, name: str, value: object, wanted: str) -> UserError:
        said = "is missing or null" if value is None else f"is {str(value)[:40]!r}"
        return self.wrong(name, f"{said}: it must be {wanted}")


@dataclass(frozen=True)
class BenchmarkSet:
    """A set in one language; `answers` by the name of their file (`answers_gpt4`)."""

    lang: str
    folder: Path
    images_dir: Path
    questions: tuple[Line, ...]
    captions: tuple[Line, ...]
    answers: Mapping[str, tuple[Line, ...]]
    paths: tuple[Path, ...] = ()  # the files that it was read from

    def caption(self, image: str) -> str:
        return next("\n".join(line.captions) for line in self.captions if line.image == image)

    def reference(self, name: str | None = None) -> dict[QuestionId, Line]:
        """The answers that others are held against, by question.

        `name` is `gpt4` or `answers_gpt4`; None takes the only file, or GPT-4's as published.
        Raises UserError where there is no such file, or several and none of them GPT-4's.
        """
        if name is None:
            choices = [stem for stem in PREFERRED if stem in self.answers] or list(self.answers)
            if len(choices) > 1 and choices[0] not in PREFERRED:
                names = " ".join(choices)
                raise UserError(f"{self.folder} holds several references, name one: {names}.")
            stem = choices[0]
        else:
            stem = name if name in self.answers else f"{ANSWERS}_{name}"
            if stem not in self.answers:
                known = [stem.removeprefix("answers_") for stem in self.answers]
                raise unknown("reference", name, known)
        return {answer.question_id: answer for answer in self.answers[stem]}

    def file_texts(self) -> dict[str, str]:
        """The language's files by name, as they are to be written."""
        files = {
            QUESTIONS[0]: self.questions,
            CONTEXT: self.captions,
            **{f"{stem}.jsonl": answers for stem, answers in self.answers.items()},
        }
        return {name: "".join(f"{line}\n" for line in lines) for name, lines in files.items()}


def read_set(root: Path, lang: str) -> BenchmarkSet:
    """Raises UserError that names file, line and field of the first thing that is wrong."""
    path = _language_path(root, lang)
    if path is None:
        wanted, how = root / lang, f"Build it: palo bench build --lang {lang}"
        if lang == ENGLISH:
            wanted, how = root, "Check the bench folder."
        raise UserError(f"No {QUESTIONS[0]} of '{lang}' in {wanted}. {how}")
    folder = path.parent
    questions = tuple(
        line.requiring("question_id", "image", "text", "category") for line in _lines(path)
    )
    if not questions:
        raise UserError(f"{path} holds no question.")
    ids = [line.question_id for line in questions]
    _require_unique(path, ids)
    captions = _captions(folder / CONTEXT, {line.image for line in questions})
    files = [
        file
        for file in sorted(folder.glob(f"{ANSWERS}*.jsonl"))
        if file.stem == ANSWERS or file.stem.startswith(f"{ANSWERS}_")
    ]
    if not files:
        raise UserError(
            f"No {ANSWERS}_<model>.jsonl in {folder}: the set has no reference answers."
        )
    answers = {file.stem: _answers(file, ids) for file in files}
    paths = (path, folder / CONTEXT, *files)
    return BenchmarkSet(lang, folder, root / IMAGES, questions, captions, answers, paths)


def set_languages(root: Path) -> list[Language]:
    """The languages that the set is in."""
    return [lang for lang in LANGUAGES if _language_path(root, lang)]


def write_set(benchmark: BenchmarkSet, folder: Path) -> None:
    """Writes the language's files, each whole or not at all."""
    for name, text in benchmark.file_texts().items():
        write_text(folder / name, text)


def _language_path(root: Path, lang: str) -> Path | None:
    """The questions of a language; None where there are none."""
    name = LANGUAGES[Language(lang)].name.lower()
    folders = [root / lang, root / name / "corrected", root / name]
    if lang == ENGLISH:
        folders.append(root)
    paths = (folder / name for folder in folders for name in QUESTIONS)
    return next(filter(Path.is_file, paths), None)


def _lines(path: Path) -> Iterator[Line]:
    """Lines of a file, with or without a byte order mark, however they end; blank ones left out."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(f"No {path.name} in {path.parent}: the set is not whole.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}.") from None
    # not splitlines: it would also cut at U+2028, which JSON texts may hold as it is
    for number, line in enumerate(text.split("\n"), start=1):
        line, place = line.removesuffix("\r"), f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{place} is not valid JSON: {error}.") from None
        if not isinstance(fields, dict):
            raise UserError(f"{place} must be a JSON object, not {line[:40]!r}.")
        yield Line(fields, line, place)


def _captions(path: Path, images: set[str]) -> tuple[Line, ...]:
    """Every picture has one caption; the published files repeat lines, which is no harm."""
    lines = tuple(line.requiring("image", "captions") for line in _lines(path))
    known: dict[str, tuple[str, ...]] = {}
    for line in lines:
        if known.setdefault(line.image, line.captions) != line.captions:
            raise UserError(f"{path} has two captions of {line.image}: keep one of them.")
    if lacking := sorted(images - {*known}):
        raise UserError(f"{path} has no caption of {listed(lacking, 5)}.")
    return lines


def _answers(path: Path, ids: Sequence[QuestionId]) -> tuple[Line, ...]:
    lines, known = [], {*ids}
    for line in _lines(path):
        if line.question_id not in known:
            raise line.wrong("question_id", f"{line.question_id!r} is no question of this set")
        lines.append(line.requiring("prompt", "text"))
    answered = [line.question_id for line in lines]
    _require_unique(path, answered)
    if lacking := [question_id for question_id in ids if question_id not in {*answered}]:
        raise UserError(f"{path} has no answer to question {listed(lacking, 5)}.")
    return tuple(lines)


def _require_unique(path: Path, ids: Iterable[QuestionId]) -> None:
    seen = set()
    for name in map(str, ids):  # 7 and "7" would be told apart by nobody
        if name in seen:
            raise UserError(f"{path} has question_id {name} twice: remove one of them.")
        seen.add(name)
