"""A small run on disk for the tests of refine: a profile, and shards as translate leaves them."""

import csv
import io

import pytest

from palo.paths import DataPaths
from palo.schemas import TRANSLATED, Role, TranslatedSample, Turn, TurnMeta, TurnStatus
from palo.settings import Profile
from palo.shards import read_refined, shard_name, shard_paths, to_row, write_shard
from refine.run import refine_language


def meta(status=TurnStatus.TRANSLATED, finish_reason="stop", problem=""):
    return TurnMeta(status, 1, finish_reason, -0.1, "scripted", "sig", "00", problem)


def conversation(sample_id, lang, *pairs, image="images/a.jpg", metas=None):
    """`pairs` are (English, translation) turns, question first."""
    roles = [Role.HUMAN if turn % 2 == 0 else Role.GPT for turn in range(len(pairs))]
    return TranslatedSample(
        sample_id=sample_id,
        source_id=sample_id,
        lang=lang,
        image=image,
        source=tuple(Turn(role, text) for role, (text, _) in zip(roles, pairs, strict=True)),
        target=tuple(Turn(role, text) for role, (_, text) in zip(roles, pairs, strict=True)),
        meta=tuple(metas or (meta() for _ in pairs)),
        origin="test",
    )


QUESTION = ("<image>\nWhat colour is the circle?", "<image>\nدائرہ کس رنگ کا ہے؟")
GOOD = conversation("good", "ur", QUESTION, ("The circle is red.", "دائرہ سرخ ہے۔"))
LEFT = conversation("left", "ur", QUESTION, ("Two.", "Two."))
LOST = conversation(
    "lost", "ur", ("<image>\nHow many stars are there?", "کتنے ستارے ہیں؟"), ("Three.", "تین۔")
)


class Run:
    """A data folder with the shards of one language, and the files refine makes of them."""

    good, left, lost, good_question = GOOD, LEFT, LOST, QUESTION
    conversation = staticmethod(conversation)
    meta = staticmethod(meta)

    def __init__(self, root):
        self.root = root
        self.paths = DataPaths(root)
        self.settings = {}

    @property
    def profile(self):
        root = self.root
        return Profile.model_validate(
            {
                "name": "test",
                "description": "test",
                "data_dir": root,
                "source": {"path": root / "source.json"},
                "translator": {"model": "none", "finetuned_dir": root / "none"},
                "refine": {"audit_rows": 0, **self.settings},
                "train": {
                    "scales_dir": root,
                    "captions_path": root / "none.json",
                    "captions_images_dir": root,
                },
                "evaluate": {"questions_path": root / "none.jsonl", "images_dir": root},
            }
        )

    def translated(self, *samples, index=0):
        self._write(self.paths.translated(samples[0].lang) / shard_name(index), samples)

    def seed(self, *samples):
        self._write(self.paths.seed_dir / samples[0].lang / shard_name(0), samples)

    def _write(self, path, samples):
        rows = [to_row(sample) for sample in samples]
        write_shard(path, rows, TRANSLATED, {}, {"samples": len(rows)})

    def refine(self, lang="ur", seed=False, now="2026-01-01"):
        return refine_language(self.profile, lang, seed, now)

    def refined(self, lang="ur"):
        folder = self.paths.refined(lang)
        return {
            one.sample.sample_id: one for path in shard_paths(folder) for one in read_refined(path)
        }

    def csv_path(self, name="batch-0001.csv", lang="ur"):
        return self.paths.review(lang) / name

    def rows(self, name="batch-0001.csv", lang="ur"):
        """The cells of a CSV as a spreadsheet would show them."""
        text = self.csv_path(name, lang).read_bytes().decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def edit(self, changes, name="batch-0001.csv", save_as=None, lang="ur"):
        """Fills cells in as a reviewer does: {id: {column: value}}."""
        rows = self.rows(name, lang)
        for row in rows:
            row.update(changes.get(row["id"], {}))
        self.save(rows, save_as or name, lang)

    def save(self, rows, name, lang="ur"):
        with self.csv_path(name, lang).open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def files(self):
        """Path -> bytes of all that refine wrote, without locks and databases."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for folder in ("refined", "review")
            for path in sorted((self.root / folder).rglob("*"))
            if path.is_file() and not path.name.startswith(".lock")
        }


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)
