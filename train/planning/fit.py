"""Refuses a run whose devices have too little memory, and says what would make it fit."""

from collections.abc import Iterator, Sequence

from palo.console import note
from palo.errors import MissingResource, UserError
from palo.settings import Profile
from train.model.sizes import Sizes, sizes_of
from train.planning.hardware import Hardware, here
from train.planning.memory import GIB, Memory, Sharing, memory_of, sharing_of
from train.scale import Checkpointing, Scale, StageName

MORE_DEVICES = (2, 4, 8, 16, 32)


class CannotFit(UserError):
    """A stage needs more memory than a device has."""


def require_fit(scale: Scale, profile: Profile, stages: Sequence[StageName]) -> None:
    """Raises CannotFit before anything is loaded; asks nothing where there is no GPU."""
    hardware = here()
    if hardware is None:
        return
    try:
        sizes = sizes_of(scale, profile.data_dir / "models")
    except MissingResource as error:  # to be downloaded yet
        note(f"Whether {scale.name} fits is not known beforehand. {error}")
        return
    sharing = sharing_of(profile.train.loop)
    for stage in stages:
        if problem := why_not(scale, sizes, stage, sharing, hardware):
            raise CannotFit(problem)


def why_not(
    scale: Scale, sizes: Sizes, stage: StageName, sharing: Sharing, hardware: Hardware
) -> str | None:
    """Need, what there is, and what would help; None where it fits."""
    need = memory_of(scale, sizes, stage, sharing, hardware.devices, hardware.short)
    if need.total <= hardware.memory_bytes:
        return None
    parts = ", ".join(f"{name} {value / GIB:.1f}" for name, value in vars(need).items())
    advice = list(_advice(scale, sizes, stage, sharing, hardware))
    if not advice:
        advice = ["nothing here alone or together: take GPUs with more memory"]
    return (
        f"{stage} of {scale.name} needs {need.total / GIB:.1f} GiB a device ({parts}); "
        f"{hardware.name} has {hardware.memory}. What would help:"
        + "".join(f"\n  - {line}" for line in advice)
    )


def _advice(
    scale: Scale, sizes: Sizes, stage: StageName, sharing: Sharing, hardware: Hardware
) -> Iterator[str]:
    """One change at a time where that is enough, else all of them together."""

    def fits(changed: Scale, how: Sharing, devices: int) -> Memory | None:
        need = memory_of(changed, sizes, stage, how, devices, hardware.short)
        return need if need.total <= hardware.memory_bytes else None

    found = False
    recomputed = scale.model_copy(update={"checkpointing": Checkpointing.FULL})
    need = fits(recomputed, sharing, hardware.devices)
    if need and scale.checkpointing is not Checkpointing.FULL:
        yield f"checkpointing: full in the scale ({need.total / GIB:.1f} GiB)"
        found = True
    for tokens in _fewer_tokens(scale, stage):
        if need := fits(_with_rows(scale, stage, tokens), sharing, hardware.devices):
            yield f"{stage}: row_tokens: {tokens} in the scale ({need.total / GIB:.1f} GiB)"
            found = True
            break
    shared = Sharing.FSDP2 if sharing is Sharing.NONE else sharing
    for devices in sorted({hardware.devices, *MORE_DEVICES}):
        if devices < max(2, hardware.devices) or (devices, shared) == (hardware.devices, sharing):
            continue
        if need := fits(scale, shared, devices):
            yield f"{_shared(sharing, devices)} ({need.total / GIB:.1f} GiB)"
            return
    if found:
        return
    fewest = _with_rows(recomputed, stage, scale.max_length)
    for devices in sorted({max(2, hardware.devices), *MORE_DEVICES}):
        if devices >= hardware.devices and (need := fits(fewest, shared, devices)):
            yield (
                f"all of these: checkpointing: full, {stage}: row_tokens: {scale.max_length}, "
                f"{_shared(sharing, devices)} ({need.total / GIB:.1f} GiB)"
            )
            return


def _fewer_tokens(scale: Scale, stage: StageName) -> Iterator[int]:
    tokens = scale.stage(stage).row_tokens // 2
    while tokens > scale.max_length:
        yield tokens
        tokens //= 2
    if scale.stage(stage).row_tokens > scale.max_length:
        yield scale.max_length


def _with_rows(scale: Scale, stage: StageName, tokens: int) -> Scale:
    changed = scale.stage(stage).model_copy(update={"row_tokens": tokens})
    return scale.model_copy(update={str(stage): changed})


def _shared(sharing: Sharing, devices: int) -> str:
    if sharing is Sharing.NONE:
        return f"train: loop: sharding: fsdp2 in the profile, on {devices} GPUs"
    return f"{devices} GPUs"
