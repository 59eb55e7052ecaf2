"""Runs a pipeline of pipelines.yaml: the users' own commands, one after the other."""

import importlib.util
import os
import shlex
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from palo.console import announce, console, note
from palo.errors import UserError, unknown
from palo.settings import Profile, Step, config_path, load_config
from palo.shards import write_json


@dataclass(frozen=True)
class StepTime:
    title: str
    command: str
    seconds: float
    skipped: str  # "" or why the step was left out


def times_path(profile: Profile, name: str) -> Path:
    return profile.data_dir / f"{name}-times.json"


def run(name: str, profile: Profile) -> None:
    """Each step is a process of its own, so memory is given back and nothing leaks between them.

    Raises UserError that names the step that failed; what earlier steps made stays.
    """
    pipelines = load_config(config_path()).pipelines
    if name not in pipelines:
        raise unknown("pipeline", name, pipelines)
    steps = pipelines[name]
    announce(profile, name)
    times: list[StepTime] = []
    for number, step in enumerate(steps, start=1):
        console.rule(f"{number}/{len(steps)} {step.title}", align="left")
        times.append(_run_step(step, profile))
        write_json(times_path(profile, name), [asdict(each) for each in times])
    total = sum(each.seconds for each in times)
    note(f"{name}: {len(steps)} steps in {total / 60:.1f} minutes")


def _run_step(step: Step, profile: Profile) -> StepTime:
    command = f"palo {step.run}"
    if step.needs and importlib.util.find_spec(step.needs) is None:
        reason = f"{step.needs} is not installed (make {step.needs} installs it)"
        note(f"$ {command}\nleft out: {reason}")
        return StepTime(step.title, command, 0.0, reason)
    note(f"$ {command}")
    start = time.monotonic()
    words = [sys.executable, "-m", "palo", *shlex.split(step.run)]
    environment = {**os.environ, "PROFILE": profile.name, "PALO_CONFIG": str(config_path())}
    child = subprocess.Popen(words, env=environment)
    code = _wait(child)
    seconds = time.monotonic() - start
    if code:
        raise UserError(f"Step '{step.title}' failed: {command} (exit code {code}).")
    note(f"({seconds:.0f} s)")
    return StepTime(step.title, command, round(seconds, 1), "")


def _wait(child: "subprocess.Popen[bytes]") -> int:
    """Ctrl-C reaches the child too: give it the time to stop cleanly, then stop as well."""
    try:
        return child.wait()
    except KeyboardInterrupt:
        try:
            child.wait(timeout=60)
        except subprocess.TimeoutExpired:
            child.kill()
        raise
