"""Counts the weights of palo/checks/lexicon.tsv anew, on the even rows of benchmarks/gold.

    .venv/bin/python benchmarks/lexicon.py    # writes palo/checks/lexicon_weights.tsv

Run it after a change of lexicon.tsv. The odd rows stay unseen; the cuts in
refine/filters/thresholds.yaml are read off them.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

from palo.checks.lexicon import count_weights, english_words, languages
from refine.pairs import SourceTarget, read_pairs


def main() -> None:
    columns = [
        [
            f"{one.found:g}/{one.missing:g}"
            for one in count_weights([(row.source, row.target) for row in _rows(lang)[::2]], lang)
        ]
        for lang in languages()
    ]
    lines = [["notion", *languages()], *map(list, zip(english_words(), *columns, strict=True))]
    text = "".join("\t".join(line) + "\n" for line in lines)
    (ROOT / "palo/checks/lexicon_weights.tsv").write_text(text, "utf-8")
    print(f"{len(lines) - 1} notions in {len(columns)} languages")


def _rows(lang: str) -> list[SourceTarget]:
    return list(read_pairs(ROOT / f"benchmarks/gold/en-{lang}.tsv"))


if __name__ == "__main__":
    main()
