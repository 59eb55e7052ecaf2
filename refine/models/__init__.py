"""Optional filters that ask a model; all off until `refine.models` in pipelines.yaml names them."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from palo.checks.structure import without_frame
from palo.engines.stream import cached_snapshot, weights_digest
from palo.errors import MissingResource
from palo.files import digest, file_digest
from palo.schemas import Finding, TurnStatus
from refine.filters import Filter, TurnPair

# Nothing to ask a model: no translation there is, or a person has the last word.
_NOT_ASKED = frozenset({TurnStatus.COPIED, TurnStatus.FAILED, TurnStatus.VERIFIED})


class ModelFilter(Filter):
    """Judges a column at once, because a model is faster on many pairs than on one.

    Equal pairs are asked about once; pairs without words on both sides never. The model is loaded
    at the first pair.
    """

    @abstractmethod
    def judge_texts(self, texts: Sequence[tuple[str, str]], lang: str) -> Sequence[Finding | None]:
        """One finding (or None) a pair of English and translation, in order."""

    @abstractmethod
    def inputs(self) -> list[object]:
        """What decides the findings. Raises MissingResource for weights that are not here."""

    def look(self, pair: TurnPair, lang: str) -> Finding | None:
        return self.judge([pair], lang)[0]

    def judge(self, pairs: Sequence[TurnPair], lang: str) -> list[Finding | None]:
        asked = [
            (without_frame(pair.source), without_frame(pair.target))
            if pair.status not in _NOT_ASKED and pair.source_words and pair.target_words
            else None
            for pair in pairs
        ]
        texts = list(dict.fromkeys(filter(None, asked)))
        findings = dict(zip(texts, self.judge_texts(texts, lang), strict=True)) if texts else {}
        return [findings[text] if text else None for text in asked]


def model_folder(model: str, revision: str | None) -> Path:
    """A folder as it is, or a hub model's in the local cache. Raises MissingResource."""
    if Path(model).is_dir():
        return Path(model)
    folder = None if Path(model).is_absolute() else cached_snapshot(model, revision)
    if folder is None:
        wanted = f" --revision {revision}" if revision else ""
        raise MissingResource(
            f"Model {model} of refine.models is not on this machine. Run `hf download "
            f"{model}{wanted}`, or take the filter out of pipelines.yaml."
        )
    return folder


def model_version(model: str, revision: str | None) -> str:
    """The commit of a hub model, or a digest of a folder's files."""
    folder = model_folder(model, revision)
    if not Path(model).is_dir():
        return folder.name
    parts = [path for path in sorted(folder.glob("*/*")) if path.is_file()]
    return digest([weights_digest(folder), *map(file_digest, parts)])
