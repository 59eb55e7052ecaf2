"""Every message of docs/troubleshooting.md is one that the program can say."""

import ast
import os
import re

import pytest

from tests.docs.page_commands import PAGES, REPO_DIR

PACKAGES = ("palo", "translate", "refine", "train", "sceneworld", "data_cards")
MESSAGES = re.findall(r"^\| `(.+?)` \| .+ \|$", PAGES["docs/troubleshooting.md"], re.MULTILINE)
EXIT_CODE = re.compile(r"(?:INTERRUPTED|INCOMPLETE|exit_code) = (\d+)|typer\.Exit\((\d+)\)")


def texts_of(tree):
    """Every text of a file as one piece; what is filled in is …"""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def said():
    """All that the code, the Makefile and its scripts can say."""
    files = (path for name in PACKAGES for path in (REPO_DIR / name).rglob("*.py"))
    found = {text for path in files for text in texts_of(ast.parse(path.read_text("utf-8")))}
    scripts = [(REPO_DIR / name).read_text("utf-8") for name in ("Makefile", "requirements/driver")]
    return [*found, *scripts]


def test_the_exit_codes_of_the_page_are_those_of_the_code():
    told = re.search(r"Exit codes: (.*?)\. After", PAGES["docs/troubleshooting.md"], re.DOTALL)[1]
    files = [path for name in PACKAGES for path in (REPO_DIR / name).rglob("*.py")]
    codes = {
        int("".join(each)) for path in files for each in EXIT_CODE.findall(path.read_text("utf-8"))
    }
    if any("exit_code = os.EX_TEMPFAIL" in path.read_text("utf-8") for path in files):
        codes.add(os.EX_TEMPFAIL)
    assert codes == {1, 2, 3, 75, 130}
    assert {int(part.split(",")[0]) for part in told.split("; ")} == {0, *codes}


def test_there_are_messages_to_look_for():
    assert len(MESSAGES) > 30


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_of_the_page_is_in_the_code(said, message):
    fixed = [part for part in re.split("…", message) if part.strip()]
    assert fixed, "such a message would be found anywhere"
    pattern = re.compile(".*?".join(map(re.escape, fixed)), re.DOTALL)
    assert any(pattern.search(text) for text in said), f"no code says: {message}"


def test_a_message_that_nobody_says_is_found(said):
    assert not any("Palo is out of coffee" in text for text in said)
