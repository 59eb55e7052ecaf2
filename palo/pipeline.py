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
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palo.console import announce, console, note
from palo.errors import UserError, unknown
from palo.files import write_json
from palo.settings import Profile, Step, config_path, load_config

CLEAN_STOP_S = 60.0  # what a step gets to stop cleanly before it is killed


@dataclass(frozen=True)
class _Running:
    number: int
    step: Step
    child: "subprocess.Popen[bytes]"
    start: float
    log_path: Path


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
        self.aside: list[_Running] = []
        self.times: dict[int, dict[str, Any]] = {}

    def run(self) -> None:
        start = time.monotonic()
        # a pipeline that is ended, as by a cluster, leaves no step behind
        handler = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            for number, step in enumerate(self.steps, start=1):
                if step.joins:
                    self._join()
                self._rule(number, step)
                note(f"$ palo {step.run}")
                if step.needs and importlib.util.find_spec(step.needs) is None:
                    reason = f"{step.needs} is not installed (make {step.needs} installs it)"
                    note(f"left out: {reason}")
                    self._record(number, step, 0.0, reason)
                    continue
                running = self._begin(number, step)
                if step.aside:
                    self.aside.append(running)
                    note(f"runs beside the next steps; its output: {running.log_path}")
                    continue
                self._end(running)
                for other in list(self.aside):  # a failure there ends the pipeline at once
                    if other.child.poll() is not None:
                        self._end(other)
            self._join()
        finally:
            for running in self.aside:
                _stop(running.child)
            signal.signal(signal.SIGTERM, handler)
        minutes = (time.monotonic() - start) / 60
        note(f"{self.name}: {len(self.steps)} steps in {minutes:.1f} minutes")

    def _rule(self, number: int, step: Step) -> None:
        console.rule(f"{number}/{len(self.steps)} {step.title}", align="left")

    def _join(self) -> None:
        for running in list(self.aside):
            self._rule(running.number, running.step)
            self._end(running)

    def _begin(self, number: int, step: Step) -> _Running:
        start = time.monotonic()
        words = [sys.executable, "-m", "palo", *shlex.split(step.run)]
        settings = {"PROFILE": self.profile.name, "PALO_CONFIG": str(config_path())}
        environment = {**os.environ, **settings}
        if self.aside or step.aside:  # each takes its share: more threads than cores stall all
            at_once = len(self.aside) + 1 + step.aside
            threads = max(1, len(os.sched_getaffinity(0)) // at_once)
            environment.setdefault("OMP_NUM_THREADS", str(threads))
        log_path = self.profile.data_dir / f"{self.name}-{number}.log"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("wb") if step.aside else nullcontext() as output:
            child = subprocess.Popen(words, env=environment, stdout=output, stderr=output)
        return _Running(number, step, child, start, log_path)

    def _end(self, running: _Running) -> None:
        """Waits for the step, which gets the time to stop cleanly; Ctrl-C reaches it by itself."""
        step, child = running.step, running.child
        try:
            child.wait()
        except (KeyboardInterrupt, SystemExit) as ending:
            _stop(child, asked=isinstance(ending, KeyboardInterrupt))
            raise
        seconds = time.monotonic() - running.start
        done = f"({seconds:.0f} s)"
        if step.aside:
            self.aside.remove(running)
            note(running.log_path.read_text(encoding="utf-8", errors="replace").rstrip())
            done = f"{step.title}: done beside the others {done}"
        if code := child.returncode:
            raise UserError(f"Step '{step.title}' failed: palo {step.run} (exit code {code}).")
        note(done)
        self._record(running.number, step, seconds)

    def _record(self, number: int, step: Step, seconds: float, skipped: str = "") -> None:
        """`skipped` is "" or why the step was left out."""
        told = {"title": step.title, "command": f"palo {step.run}", "seconds": round(seconds, 1)}
        self.times[number] = {**told, "skipped": skipped}
        path = self.profile.data_dir / f"{self.name}-times.json"
        write_json(path, [self.times[each] for each in sorted(self.times)])


def _stop(child: "subprocess.Popen[bytes]", asked: bool = False) -> None:
    if child.poll() is None and not asked:
        child.send_signal(signal.SIGINT)
    try:
        child.wait(timeout=CLEAN_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
