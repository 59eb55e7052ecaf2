"""Command-line options that mean the same in every command that takes them."""

from pathlib import Path
from typing import Annotated

import typer

ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="A profile of pipelines.yaml; also PROFILE=...")
]
LangsOption = Annotated[str, typer.Option("--lang", help="Languages: ur, or ur,fr, or all.")]
# translate's own --source takes any file; these commands look at what it made of it
SourceOption = Annotated[
    Path | None, typer.Option("--source", help="The file that `palo translate --source` took.")
]
