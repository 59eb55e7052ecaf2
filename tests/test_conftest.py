"""A skip fails in CI, but for tests that want a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent / "conftest.py"
TESTS = """
import pytest
def test_skips():
    pytest.skip("no such program")
@pytest.mark.gpu
def test_gpu():
    pytest.skip("no such card")
@pytest.mark.xfail
def test_expected():
    assert False
@pytest.mark.skip(reason="for now")
def test_marked():
    pass
def test_office(soffice):
    pass
"""


@pytest.fixture
def run_pytest(tmp_path):
    def run(ci, tests=TESTS):
        (tmp_path / "conftest.py").write_text(CONFTEST.read_text("utf-8"), encoding="utf-8")
        (tmp_path / "test_it.py").write_text(tests, encoding="utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = gpu: card\n", encoding="utf-8")
        environment = {**os.environ, "CI": ci, "PATH": str(tmp_path)}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rsf"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        return done.returncode, done.stdout

    return run


def test_skips_are_allowed_outside_ci(run_pytest):
    code, output = run_pytest("")
    assert code == 0
    assert "4 skipped, 1 xfailed" in output
    assert "LibreOffice is not installed (soffice or libreoffice on the PATH)" in output


def test_in_ci_only_gpu_tests_may_skip(run_pytest):
    code, output = run_pytest("true")
    assert code == 1
    assert "1 failed, 1 skipped, 1 xfailed, 2 errors" in output
    assert "skipped although CI=true: Skipped: no such program" in output
    assert "LibreOffice is not installed" in output


def test_in_ci_a_file_that_skips_itself_fails(run_pytest):
    code, output = run_pytest("true", "import pytest\npytest.importorskip('no_such_module')\n")
    assert code == 2
    assert "skipped although CI=true: Skipped: could not import 'no_such_module'" in output
