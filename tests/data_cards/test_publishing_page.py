"""Every command and program of docs/publishing.md does what the page says."""

import re
import shlex
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "publishing.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = [shlex.split(line, comments=True) for line in SHELL.split("\n") if line.strip()]
PROGRAM = re.search(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]


@pytest.mark.slow
def test_all_of_the_page_runs_in_its_order(checkpoint, project, palo, monkeypatch, capsys):
    monkeypatch.chdir(project)
    assert len(COMMANDS) == 13 and all(words[0] == "palo" for words in COMMANDS)
    for words in COMMANDS:
        done = palo(*words[1:])
        assert done.exit_code == 0, (words, done.output)
    assert (project / "published" / "datasets" / "ORG" / "NAME" / "README.md").is_file()
    names = {}
    exec(PROGRAM, names)
    assert (names["rows"].num_rows, names["both"].num_rows) == (3, 7)
