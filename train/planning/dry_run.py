"""`palo train --dry-run`: shows the plan, then says what stands in its way."""

import json

import typer

from palo.console import announce
from palo.errors import MissingResource
from palo.settings import Profile
from train.planning.fit import CannotFit
from train.planning.hardware import hardware_for
from train.planning.plan import make_plan
from train.planning.show import as_json as in_json
from train.planning.show import show
from train.resources import refuse_training
from train.scale import Scale, StageName


def dry_run(
    scale: Scale,
    profile: Profile,
    until: StageName,
    gpu: str | None = None,
    gpus: int | None = None,
    gpu_memory_gib: float | None = None,
    as_json: bool = False,
) -> None:
    """Prints the plan; tables, or JSON and nothing else.

    Raises CannotFit or MissingResource once all that is known has been printed.
    """
    hardware = hardware_for(scale.is_standin, gpu, gpus, gpu_memory_gib)
    is_elsewhere = gpu is not None or gpu_memory_gib is not None
    if not as_json:
        announce(profile, f"train {scale.name} --dry-run")
    plan = make_plan(scale, profile, until, hardware, is_elsewhere, is_silent=as_json)
    if as_json:
        typer.echo(json.dumps(in_json(plan), indent=1))
    else:
        show(plan)
    try:
        refuse_training(scale, profile, plan.missing)
    except MissingResource as error:
        raise MissingResource("\n".join([*plan.problems, str(error)])) from None
    if plan.problems:
        raise CannotFit("\n".join(plan.problems))
