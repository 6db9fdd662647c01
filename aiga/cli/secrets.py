"""`aiga secret set`, `aiga seal`: values that steps need, on this machine and on a cluster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from aiga.cli.shared import Folder, at, of_system, say, told
from aiga.errors import UserError
from aiga.names import PROJECT_PREFIX
from aiga.secrets.resolve import keep
from aiga.secrets.seal import seal as sealed

app = typer.Typer(help="Secrets of this machine.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="A secret that project.yaml declares.")]


@app.command("set")
@told
def set_(name: Name, folder: Folder = Path(".")) -> None:
    """Put a secret's value into the keyring of this machine; it is asked for, or read from standard input."""
    here = at(folder)
    _declared(here.loaded.project.secrets, name)
    keep(here.loaded.project.name, name, _value(name))
    say(f"secret {name}: kept in the keyring")


@told
def seal(
    name: Name,
    certificate: Annotated[Path, typer.Option("--certificate", help="The platform's public key, a PEM file.")],
    folder: Folder = Path("."),
    namespace: Annotated[str | None, typer.Option("--namespace", help="project-<name> when left out.")] = None,
    scope: Annotated[str, typer.Option("--scope", help="strict, namespace-wide or cluster-wide.")] = "strict",
) -> None:
    """Write a SealedSecret for a cluster, offline; the value is asked for, or read from standard input."""
    here = at(folder)
    _declared(here.loaded.project.secrets, name)
    where = namespace or PROJECT_PREFIX + here.loaded.project.name
    variable = here.loaded.project.secrets[name].env
    public = _read(certificate)
    manifest = sealed(name, where, {variable: _value(name)}, public, scope)  # type: ignore[arg-type]  # checked there
    typer.echo(yaml.safe_dump(manifest, sort_keys=False), nl=False)


def _read(certificate: Path) -> bytes:
    try:
        return certificate.read_bytes()
    except OSError as error:
        raise of_system(error, "--certificate names the platform's public key, a PEM file") from None


def _declared(secrets: object, name: str) -> None:
    if name not in secrets:  # type: ignore[operator]  # a mapping
        raise UserError(f"secret {name!r}: not declared in project.yaml (add it under `secrets:`)")


def _value(name: str) -> str:
    value = typer.prompt(name, hide_input=True) if sys.stdin.isatty() else sys.stdin.read().rstrip("\n")
    if not value:
        raise UserError(f"secret {name!r}: its value is empty (type it, or pipe it in)")
    return str(value)
