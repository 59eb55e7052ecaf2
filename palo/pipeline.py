"""Runs a pipeline of pipelines.yaml: the users' own commands, one after the other.

Each step is a process of its own, so memory is given back and nothing leaks between them. A step
marked `aside` runs beside the steps after it, until one that `joins`.
"""

import importlib.util
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from palo.console import announce, console, note
from palo.errors import UserError, unknown
from palo.files import write_json
from palo.settings import Profile, Step, config_path, load_config

CLEAN_STOP_S = 60.0  # what a step gets to stop cleanly before it is killed


@dataclass(frozen=True)
class _Aside:
    number: int
    step: Step
    child: "subprocess.Popen[bytes]"
    start: float
    log_path: Path


def times_path(profile: Profile, name: str) -> Path:
    return profile.data_dir / f"{name}-times.json"


def run(name: str, profile: Profile) -> None:
    """Raises UserError that names the step that failed; what earlier steps made stays."""
    pipelines = load_config(config_path()).pipelines
    if name not in pipelines:
        raise unknown("pipeline", name, pipelines)
    announce(profile, name)
    _Run(name, profile, pipelines[name]).run()


class _Run:
    def __init__(self, name: str, profile: Profile, steps: tuple[Step, ...]) -> None:
        self.name, self.profile, self.steps = name, profile, steps
        self.aside: list[_Aside] = []
        self.times: dict[int, dict[str, Any]] = {}

    def run(self) -> None:
        start = time.monotonic()
        try:
            for number, step in enumerate(self.steps, start=1):
                if step.joins:
                    self._join()
                self._rule(number, step)
                note(f"$ palo {step.run}")
                if step.needs and importlib.util.find_spec(step.needs) is None:
                    reason = f"{step.needs} is not installed (make {step.needs} installs it)"
                    note(f"left out: {reason}")
                    self._ended(number, step, 0.0, reason)
                elif step.aside:
                    self._begin_aside(number, step)
                else:
                    self._take(number, step)
            self._join()
        finally:
            for running in self.aside:
                _stop(running.child)
        minutes = (time.monotonic() - start) / 60
        note(f"{self.name}: {len(self.steps)} steps in {minutes:.1f} minutes")

    def _rule(self, number: int, step: Step) -> None:
        console.rule(f"{number}/{len(self.steps)} {step.title}", align="left")

    def _take(self, number: int, step: Step) -> None:
        start = time.monotonic()
        code = _wait(self._start(step, len(self.aside) + 1))
        seconds = time.monotonic() - start
        if code:
            raise _failed(step, code)
        note(f"({seconds:.0f} s)")
        self._ended(number, step, seconds)
        for running in list(self.aside):  # a failure there ends the pipeline at once
            if running.child.poll() is not None:
                self._take_in(running)

    def _begin_aside(self, number: int, step: Step) -> None:
        start = time.monotonic()
        log_path = self.profile.data_dir / f"{self.name}-{number}.log"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("wb") as output:
            child = self._start(step, len(self.aside) + 2, output)
        self.aside.append(_Aside(number, step, child, start, log_path))
        note(f"runs beside the next steps; its output: {log_path}")

    def _start(
        self, step: Step, at_once: int, output: IO[bytes] | None = None
    ) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-m", "palo", *shlex.split(step.run)]
        settings = {"PROFILE": self.profile.name, "PALO_CONFIG": str(config_path())}
        environment = {**os.environ, **settings}
        if at_once > 1:  # each takes its share of the cores: more threads than cores stall all
            threads = max(1, len(os.sched_getaffinity(0)) // at_once)
            environment.setdefault("OMP_NUM_THREADS", str(threads))
        return subprocess.Popen(words, env=environment, stdout=output, stderr=output)

    def _join(self) -> None:
        for running in list(self.aside):
            self._rule(running.number, running.step)
            _wait(running.child)
            self._take_in(running)

    def _take_in(self, running: _Aside) -> None:
        self.aside.remove(running)
        seconds = time.monotonic() - running.start
        note(running.log_path.read_text(encoding="utf-8", errors="replace").rstrip())
        if code := running.child.returncode:
            raise _failed(running.step, code)
        note(f"{running.step.title}: done beside the others ({seconds:.0f} s)")
        self._ended(running.number, running.step, seconds)

    def _ended(self, number: int, step: Step, seconds: float, skipped: str = "") -> None:
        """`skipped` is "" or why the step was left out."""
        told = {"title": step.title, "command": f"palo {step.run}", "seconds": round(seconds, 1)}
        self.times[number] = {**told, "skipped": skipped}
        path = times_path(self.profile, self.name)
        write_json(path, [self.times[each] for each in sorted(self.times)])


def _failed(step: Step, code: int) -> UserError:
    return UserError(f"Step '{step.title}' failed: palo {step.run} (exit code {code}).")


def _wait(child: "subprocess.Popen[bytes]") -> int:
    """Ctrl-C reaches the child too: give it the time to stop cleanly, then stop as well."""
    try:
        return child.wait()
    except KeyboardInterrupt:
        _stop(child, asked=True)
        raise


def _stop(child: "subprocess.Popen[bytes]", asked: bool = False) -> None:
    if child.poll() is None and not asked:
        child.send_signal(signal.SIGINT)
    try:
        child.wait(timeout=CLEAN_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
