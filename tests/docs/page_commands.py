"""The command lines that README.md and docs/*.md show."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

REPO_DIR = Path(__file__).resolve().parents[2]
PAGES = {
    path.relative_to(REPO_DIR).as_posix(): path.read_text("utf-8")
    for path in [REPO_DIR / "README.md", *sorted((REPO_DIR / "docs").glob("*.md"))]
}


def section(page, title):
    """The part of a page under one `## title`, up to the next of its kind."""
    _, _, after = PAGES[page].partition(f"\n## {title}\n")
    assert after, f"{page} has no section {title!r}"
    return re.split(r"^## ", after, maxsplit=1, flags=re.MULTILINE)[0]


_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
USAGE = re.compile(r"\$ (palo.*?) \[OPTIONS\].*")  # of docs/commands.md: a pattern, no command
_ENDS = {"&&", "|", ";", "||"}


@dataclass(frozen=True)
class PageCommand:
    """One command line; `words` without variables set before it and without comments."""

    page: str
    line: str
    words: tuple[str, ...]

    @property
    def palo(self) -> tuple[str, ...] | None:
        """What `palo` is given, whichever program starts it; None where another one is meant."""
        if self.words[0] == "palo":
            return self.words[1:]
        if "-m" in self.words and (at := self.words.index("-m") + 1) < len(self.words):
            return self.words[at + 1 :] if self.words[at] == "palo" else None
        return None

    def __str__(self):
        return f"{self.page}: {self.line}"


def commands_of(page, text):
    """Every command of its ```sh blocks; a line that ends with a backslash goes on."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    indented = re.findall(r"^    ((?:palo|make|torchrun) .*)$", _without_blocks(text), re.MULTILINE)
    for block in [*blocks, *indented]:
        for line in block.replace("\\\n", " ").splitlines():
            if not USAGE.fullmatch(line):
                yield from _split(page, line)


def _without_blocks(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def _split(page, line):
    words = []
    for word in [*_words(line), ";"]:
        if word not in _ENDS:
            words.append(word)
            continue
        while words and _ASSIGNMENT.fullmatch(words[0]):
            words = words[1:]
        if words:
            yield PageCommand(page, line.strip(), tuple(words))
        words = []


def _words(line):
    line = re.sub(r"\s[<>]\s+\S+", "", line)  # redirections; then <placeholders>
    found = shlex.split(line.replace("<", "").replace(">", " "), comments=True)
    return [word for word in found if word]


COMMANDS = [command for page, text in PAGES.items() for command in commands_of(page, text)]
