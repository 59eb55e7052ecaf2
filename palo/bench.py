"""A LLaVA-Bench-style set on disk, field for field as published: what lies where, read and checked.

    bench = read_bench(Path("data/bench"), "ur")

One folder a language (`ur/`, or `urdu/` and `urdu/corrected/` as PALO publishes them; English may
lie in the root, as LLaVA publishes it) holds three kinds of JSON lines, and `images/` is shared:

- `questions.jsonl` (PALO: `question.jsonl`): question_id, image, text, category
- `answers_<model>.jsonl` (PALO: `answers.jsonl`): question_id, text; prompt, answer_id, model_id
- `context.jsonl`: image, caption (a text or a list of texts); id

Other fields are carried along. A line of which nothing changes is written as it was read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palo.bench_lines import Entry as Entry
from palo.bench_lines import Place, entries
from palo.bench_lines import QuestionId as QuestionId
from palo.errors import UserError, unknown
from palo.languages import ENGLISH, LANGUAGES, Language
from palo.shards import replaced

QUESTIONS = ("questions.jsonl", "question.jsonl")
CONTEXT = "context.jsonl"
ANSWERS = "answers"
IMAGES = "images"
# LLaVA's reference; its folder also holds answers of models that were compared with it
PREFERRED = ("answers_gpt4", ANSWERS)


@dataclass(frozen=True)
class Question:
    """`entry` is None for one that was not read from a file; likewise below."""

    question_id: QuestionId
    image: str
    text: str
    category: str
    entry: Entry | None = None

    @property
    def line(self) -> str:
        return (self.entry or _NEW).saying(
            question_id=self.question_id, image=self.image, text=self.text, category=self.category
        )


@dataclass(frozen=True)
class Answer:
    """`prompt` is the question as it was put, None where the file doesn't say."""

    question_id: QuestionId
    text: str
    prompt: str | None = None
    entry: Entry | None = None

    @property
    def model_id(self) -> str:
        return str(self.entry.fields.get("model_id", "")) if self.entry else ""

    @property
    def line(self) -> str:
        said = {} if self.prompt is None else {"prompt": self.prompt}
        return (self.entry or _NEW).saying(question_id=self.question_id, text=self.text, **said)


@dataclass(frozen=True)
class Caption:
    """What a judge that sees no picture is told of it: `texts`, mostly one."""

    image: str
    texts: tuple[str, ...]
    entry: Entry | None = None

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    @property
    def line(self) -> str:
        entry = self.entry or _NEW
        listed = len(self.texts) != 1 or isinstance(entry.fields.get("caption"), list)
        return entry.saying(image=self.image, caption=[*self.texts] if listed else self.texts[0])


@dataclass(frozen=True)
class Bench:
    """A set in one language; `answers` by the name of their file (`answers_gpt4`)."""

    lang: str
    folder: Path
    images_dir: Path
    questions: tuple[Question, ...]
    captions: tuple[Caption, ...]
    answers: Mapping[str, tuple[Answer, ...]]

    def caption(self, image: str) -> str:
        return next(one.text for one in self.captions if one.image == image)

    def reference(self, name: str | None = None) -> dict[QuestionId, Answer]:
        """The answers that others are held against, by question.

        `name` is `gpt4` or `answers_gpt4`; None takes the only file, or GPT-4's as published.
        Raises UserError where there is no such file, or several and none of them GPT-4's.
        """
        found = _reference_name(self, name)
        return {one.question_id: one for one in self.answers[found]}


def language_folder(root: Path, lang: str) -> Path | None:
    """Where the files of a language lie; None where there are none."""
    name = LANGUAGES[Language(lang)].name.lower()
    places = [root / lang, root / name / "corrected", root / name]
    if lang == ENGLISH:
        places.append(root)
    return next((folder for folder in places if questions_path(folder)), None)


def questions_path(folder: Path) -> Path | None:
    return next((folder / name for name in QUESTIONS if (folder / name).is_file()), None)


def languages(root: Path) -> list[Language]:
    """The languages that the set is in."""
    return [lang for lang in LANGUAGES if language_folder(root, lang)]


def read_bench(root: Path, lang: str) -> Bench:
    """Raises UserError that names file, line and field of the first thing that is wrong."""
    folder = language_folder(root, lang)
    if folder is None:
        wanted = root if lang == ENGLISH else root / lang
        raise UserError(
            f"No {QUESTIONS[0]} of '{lang}' in {wanted}. "
            + (
                "Check the bench folder."
                if lang == ENGLISH
                else f"Build it: palo bench build --lang {lang}"
            )
        )
    path = questions_path(folder)
    assert path is not None
    questions = tuple(_question(place, entry) for place, entry in entries(path))
    if not questions:
        raise UserError(f"{path} holds no question.")
    _unique(path, [one.question_id for one in questions])
    captions = tuple(_caption(place, entry) for place, entry in entries(folder / CONTEXT))
    _told(folder / CONTEXT, questions, captions)
    answers = {file.stem: _answers(file, questions) for file in _answer_files(folder)}
    if not answers:
        raise UserError(
            f"No {ANSWERS}_<model>.jsonl in {folder}: the set has no reference answers."
        )
    return Bench(lang, folder, root / IMAGES, questions, captions, answers)


def files_of(bench: Bench) -> list[Path]:
    """The files that it was read from."""
    path = questions_path(bench.folder)
    assert path is not None
    return [path, bench.folder / CONTEXT, *(bench.folder / f"{one}.jsonl" for one in bench.answers)]


def texts(bench: Bench) -> dict[str, str]:
    """The language's files by name, as they are to be written."""
    lines: dict[str, Iterable[Question | Answer | Caption]] = {
        QUESTIONS[0]: bench.questions,
        CONTEXT: bench.captions,
        **{f"{name}.jsonl": answers for name, answers in bench.answers.items()},
    }
    return {name: "".join(f"{one.line}\n" for one in some) for name, some in lines.items()}


def write_bench(bench: Bench, folder: Path) -> None:
    """Writes the language's files, each whole or not at all."""
    for name, text in texts(bench).items():
        with replaced(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")


def _reference_name(bench: Bench, name: str | None) -> str:
    if name is not None:
        wanted = name if name in bench.answers else f"{ANSWERS}_{name}"
        if wanted not in bench.answers:
            raise unknown(
                "reference", name, [one.removeprefix("answers_") for one in bench.answers]
            )
        return wanted
    choices = [one for one in PREFERRED if one in bench.answers] or list(bench.answers)
    if len(choices) > 1 and choices[0] not in PREFERRED:
        raise UserError(f"{bench.folder} holds several references, name one: {' '.join(choices)}.")
    return choices[0]


def _answer_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.glob(f"{ANSWERS}*.jsonl")
        if path.stem == ANSWERS or path.stem.startswith(f"{ANSWERS}_")
    )


def _answers(path: Path, questions: Sequence[Question]) -> tuple[Answer, ...]:
    known = {one.question_id for one in questions}
    answers = []
    for place, entry in entries(path):
        question_id = place.question_id(entry)
        if question_id not in known:
            raise place.wrong("question_id", f"{question_id!r} is no question of this set")
        prompt = entry.fields.get("prompt")
        prompt = place.text(entry, "prompt") if prompt else None
        answers.append(Answer(question_id, place.text(entry, "text"), prompt, entry))
    _unique(path, [one.question_id for one in answers])
    answered = {one.question_id for one in answers}
    lacking = [one.question_id for one in questions if one.question_id not in answered]
    if lacking:
        raise UserError(f"{path} has no answer to question {_listed(lacking)}.")
    return tuple(answers)


def _question(place: Place, entry: Entry) -> Question:
    return Question(
        place.question_id(entry),
        place.image(entry),
        place.text(entry, "text"),
        place.text(entry, "category"),
        entry,
    )


def _caption(place: Place, entry: Entry) -> Caption:
    caption = entry.fields.get("caption")
    texts = caption if isinstance(caption, list) and caption else [caption]
    return Caption(
        place.image(entry), tuple(place.checked("caption", text) for text in texts), entry
    )


def _told(path: Path, questions: Sequence[Question], captions: Sequence[Caption]) -> None:
    """Every picture has one caption; the published files repeat lines, which is no harm."""
    told: dict[str, tuple[str, ...]] = {}
    for one in captions:
        if told.setdefault(one.image, one.texts) != one.texts:
            raise UserError(f"{path} has two captions of {one.image}: keep one of them.")
    lacking = sorted({one.image for one in questions} - {*told})
    if lacking:
        raise UserError(f"{path} has no caption of {_listed(lacking)}.")


def _unique(path: Path, ids: Iterable[QuestionId]) -> None:
    seen = set()
    for one in map(str, ids):  # 7 and "7" would be told apart by nobody
        if one in seen:
            raise UserError(f"{path} has question_id {one} twice: remove one of them.")
        seen.add(one)


def _listed(values: Sequence[object], most: int = 5) -> str:
    shown = ", ".join(map(str, values[:most]))
    return f"{shown} and {len(values) - most} more" if len(values) > most else shown


_NEW = Entry({}, "")
