"""A benchmark set as a LLaVA file to translate, and its translation as a set of another language.

    english = read_set(root, "en")
    write_source(english, path)                 # what translate takes in like any other file
    built = assemble(english, "ur", refined)    # from what refine made of it
    write_built(built, root / "ur", allow_missing=False)    # with bench.json beside it

A question and its reference answer are one conversation, so that the answer is translated in sight
of its question; a caption follows a picture without a word, so it is a segment of its own.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from palo.benchmark_set import QUESTIONS, BenchmarkSet, Line, QuestionId, write_set
from palo.console import note
from palo.errors import NotWhole, UserError
from palo.files import digest, file_digest, read_json, write_json, write_text
from palo.languages import Language
from palo.paths import DataPaths
from palo.schemas import IMAGE_TAG, RefinedSample, Role, TurnStatus, Verdict
from palo.settings import Profile
from palo.shards import read_refined, shard_paths

SOURCE_NAME = "bench-source.json"
MANIFEST = "bench.json"
_MISSING_SAID = 10


@dataclass
class Built:
    """A set in another language, of the questions of which nothing is missing. `missing` says why a
    part has no translation. Counts are of turns, a question's once."""

    english: BenchmarkSet
    translated: BenchmarkSet
    samples: Mapping[str, RefinedSample]  # by the id of their conversation
    missing: dict[str, str] = field(default_factory=dict)
    left_out: list[Line] = field(default_factory=list)
    by_status: Counter[str] = field(default_factory=Counter)
    signatures: Counter[str] = field(default_factory=Counter)  # of what an engine wrote
    doubted: int = 0  # refine asks a person to look at them
    folder: Path | None = None  # once it is written

    @property
    def left_out_ids(self) -> str:
        """`question 3, 7`"""
        return "question " + ", ".join(str(line.question_id) for line in self.left_out)

    @property
    def summary(self) -> str:
        shares = " + ".join(
            f"{self.by_status[status]} {status}"
            for status in (TurnStatus.VERIFIED, TurnStatus.TRANSLATED, TurnStatus.COPIED)
            if self.by_status[status] or status is not TurnStatus.COPIED
        )
        written = f"{len(self.translated.questions)} questions in {self.folder}"
        what = written if self.folder else "not written"
        doubted = f"; {self.doubted} wait for review" if self.doubted else ""
        left = f"; left out: {self.left_out_ids}" if self.left_out else ""
        return f"{self.translated.lang}: {what}; {shares} turns{doubted}{left}"

    def take(self, part: str, turn: int, *source_ids: str) -> str | None:
        """A part's translation, or None; a person's word in any conversation goes first."""
        samples = [self.samples.get(source_id) for source_id in source_ids]
        problems = [_problem(sample, turn) for sample in samples]
        usable = [
            row for row, problem in zip(samples, problems, strict=True) if row and not problem
        ]
        if not usable:
            self.missing[part] = problems[0]
            return None
        best = min(usable, key=lambda row: row.sample.meta[turn].status is not TurnStatus.VERIFIED)
        meta = best.sample.meta[turn]
        self.by_status[str(meta.status)] += 1
        if meta.status is TurnStatus.TRANSLATED:
            self.signatures[meta.signature] += 1
        self.doubted += best.turn_verdicts[turn] is Verdict.REVIEW
        return best.sample.target[turn].text


def _problem(refined: RefinedSample | None, turn: int) -> str:
    """Why a turn can't be used; empty where it can."""
    if refined is None:
        return "not translated; set-aside.jsonl says why"
    sample = refined.sample
    if len(sample.target) != len(sample.source):
        return "the conversation lost its turns"
    if sample.meta[turn].status is TurnStatus.FAILED:
        return f"failed: {sample.meta[turn].problem}"
    if refined.turn_verdicts[turn] is not Verdict.REJECT:
        return ""
    rejections = (row for row in refined.findings[turn] if row.verdict is Verdict.REJECT)
    return next((row.reason for row in rejections), "rejected")


def at_work_on(profile: Profile, given: Path | None) -> tuple[Path, Profile]:
    """The set's folder, given or the profile's own, and the profile with a data folder of the
    set's, where its source is written. Raises UserError where there is no such folder."""
    root = given or (profile.bench.path if profile.bench else None)
    if root is None:
        raise UserError(
            f"Profile '{profile.name}' names no bench: give --bench DIR, or set bench.path in "
            "pipelines.yaml."
        )
    if not root.is_dir():
        how = "run `palo sample build`" if profile.world and given is None else "check the path"
        raise UserError(f"No bench folder {root}: {how}.")
    there = profile.on(root.absolute())
    source = there.source.model_copy(update={"path": there.data_dir / SOURCE_NAME})
    return root.absolute(), there.model_copy(update={"source": source})


def write_source(english: BenchmarkSet, path: Path) -> None:
    """The set as a LLaVA-Instruct file; the same set gives the same bytes."""
    items = (json.dumps(item, ensure_ascii=False) for item in conversations(english))
    write_text(path, "[\n" + ",\n".join(items) + "\n]\n")


def conversations(english: BenchmarkSet) -> list[dict[str, Any]]:
    """Items of LLaVA-Instruct, each with an id that says which part of the set it is. Raises
    UserError for ids that can't be told apart."""
    items: dict[str, dict[str, Any]] = {}

    def add(source_id: str, image: str, *texts: str) -> None:
        turns = [
            {"from": role.value, "value": text}
            for role, text in zip((Role.HUMAN, Role.GPT), texts, strict=True)
        ]
        item = {"id": source_id, "image": image, "conversations": turns}
        if items.setdefault(source_id, item) != item:
            raise UserError(
                f"{english.folder}: two parts are both called '{source_id}': change an id."
            )

    questions = {line.question_id: line for line in english.questions}
    for name, answers in english.answers.items():
        for answer in answers:
            asked = questions[answer.question_id]
            add(_answer_id(answer, name), asked.image, asked.text, answer.text)
    for line in _captioned(english):
        for source_id, text in zip(_caption_ids(line), line.captions, strict=True):
            add(source_id, line.image, IMAGE_TAG, text)
    return list(items.values())


def _captioned(english: BenchmarkSet) -> Iterable[Line]:
    """A line for each picture: published files repeat its captions."""
    return {line.image: line for line in english.captions}.values()


def _answer_id(line: Line, name: str) -> str:
    return f"q{line.question_id}-{name}"


def _caption_ids(line: Line) -> list[str]:
    first = f"caption-{line.image}"
    return [first, *(f"{first}-{number}" for number in range(2, len(line.captions) + 1))]


def assemble(english: BenchmarkSet, lang: str, refined: Iterable[RefinedSample]) -> Built:
    """The set in `lang`. A question is left out whole where a part of it, or the caption of its
    picture, failed validation or was rejected: English would pass for a translation."""
    samples = {row.sample.source_id: row for row in refined}
    built = Built(english, replace(english, lang=lang), samples)
    captions: dict[str, list[str]] = {}
    for line in _captioned(english):
        texts = []
        for source_id in _caption_ids(line):
            if (text := built.take(f"caption of {line.image}", 1, source_id)) is None:
                break
            texts.append(text)
        else:
            captions[line.image] = texts
    questions: dict[QuestionId, Line] = {}
    for line in english.questions:
        source_ids = (_answer_id(line, name) for name in english.answers)
        text = built.take(f"question {line.question_id}, its text", 0, *source_ids)
        if text is not None:
            questions[line.question_id] = line.saying(text=text)
    answers: dict[str, dict[QuestionId, Line]] = {name: {} for name in english.answers}
    for name, lines in english.answers.items():
        for line in lines:
            key = line.question_id
            text = built.take(f"question {key}, {name}", 1, _answer_id(line, name))
            if text is not None and key in questions:
                prompt = {"prompt": questions[key].text} if line.prompt else {}
                answers[name][key] = line.saying(text=text, **prompt)
    for line in english.questions:
        key = line.question_id
        answered = all(key in replies for replies in answers.values())
        if line.image not in captions or key not in questions or not answered:
            built.left_out.append(line)
            questions.pop(key, None)
    built.translated = replace(
        built.translated,
        questions=tuple(questions.values()),
        captions=tuple(
            line.saying(caption=given if isinstance(line.fields["caption"], list) else given[0])
            for line in english.captions
            if (given := captions.get(line.image))
        ),
        answers={
            name: tuple(line for key, line in replies.items() if key in questions)
            for name, replies in answers.items()
        },
    )
    return built


def write_built(built: Built, folder: Path, allow_missing: bool) -> None:
    """Writes the set and its manifest, unless parts are missing and may not be. Raises UserError
    for files there that were not written by a build, or were edited since."""
    translated = built.translated
    if built.missing and not (allow_missing and translated.questions):
        return
    texts, manifest_path = translated.file_texts(), folder / MANIFEST
    digests = {  # as `file_digest` of files with these texts
        name: blake2b(text.encode("utf-8"), digest_size=16).hexdigest()
        for name, text in texts.items()
    }
    before = read_json(manifest_path, {"files": {}})["files"]
    for name in dict.fromkeys((*texts, *QUESTIONS, *before)):
        # a build that was cut short left some of the files that are written now
        known = (before.get(name), digests.get(name))
        if (folder / name).is_file() and file_digest(folder / name) not in known:
            what = "was edited since it was built" if name in before else "was not built here"
            raise UserError(
                f"{folder / name} {what}, and a build would replace it. Move it away; corrections "
                "belong into the review CSVs."
            )
    write_set(translated, folder)
    for name in before.keys() - texts.keys():  # of a reference that English has no more
        (folder / name).unlink(missing_ok=True)
    manifest = {  # no clock in it: the same inputs give the same bytes
        "lang": str(translated.lang),
        "made_from": {path.name: file_digest(path) for path in built.english.paths},
        "files": digests,
        "set": digest(texts),
        "translators": built.signatures,
        "counts": {
            "questions": len(translated.questions),
            "captions": len({line.image for line in translated.captions}),
            "answers": {name: len(answers) for name, answers in translated.answers.items()},
        },
        "turns": built.by_status,
        "review": {
            "turns": built.by_status.total(),
            "verified": built.by_status[TurnStatus.VERIFIED],
            "waiting": built.doubted,
        },
        "left_out": [line.question_id for line in built.left_out],
        "missing": [{"part": part, "why": why} for part, why in built.missing.items()],
    }
    write_json(manifest_path, manifest)
    built.folder = folder


def build_all(
    english: BenchmarkSet, langs: Iterable[Language], paths: DataPaths, allow_missing: bool
) -> None:
    """Writes the sets of these languages, as they were refined, beside the English one."""
    every = []
    for lang in langs:
        rows = (row for path in shard_paths(paths.refined(lang)) for row in read_refined(path))
        built = assemble(english, lang, rows)
        write_built(built, english.images_dir.parent / lang, allow_missing)
        note(built.summary)
        every.append(built)
    require_complete(every)


def require_complete(every: Iterable[Built]) -> None:
    """Raises NotWhole that names what is missing in every language that was not written."""
    lines = []
    for built in every:
        if built.folder:
            continue
        left_out = built.left_out_ids if built.left_out else "captions"
        lines.append(f"- {built.translated.lang}: {left_out}")
        missing = [f"    {part}: {why}" for part, why in built.missing.items()]
        lines += missing[:_MISSING_SAID]
        if len(missing) > _MISSING_SAID:
            lines.append(f"    and {len(missing) - _MISSING_SAID} more parts")
    if lines:
        raise NotWhole(
            "Not written, for parts have no translation that passed:\n"
            + "\n".join(lines)
            + "\nCorrect them in the review CSVs named above and run the command again, or leave "
            "these questions out with --allow-missing. What an earlier build wrote stands as it "
            "was."
        )
