"""All commands, by name."""

from __future__ import annotations

import typer

from aiga.cli import demo, lineage, models, new, run, runs, search, secrets, serve

app = typer.Typer(
    name="aiga", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Machine-learning projects from one YAML file.",
)  # fmt: skip
app.command("init")(new.init)
app.command("demo")(demo.demo)
app.command("run")(run.run_)
app.command("validate")(run.validate)
app.command("explain")(run.explain)
app.command("schema")(run.schema_)
app.command("approve")(run.approve)
app.command("label")(run.label)
app.command("runs")(runs.runs)
app.command("compare")(runs.compare)
app.command("lineage")(lineage.lineage_)
app.command("reproduce")(runs.reproduce)
app.command("report")(runs.report)
app.command("serve")(serve.serve)
app.command("canary")(serve.canary)
app.command("predict")(serve.predict)
app.command("models")(models.models)
app.command("promote")(models.promote)
app.command("rollback")(models.rollback)
app.command("seal")(secrets.seal)
app.command("step")(run.step)
app.add_typer(secrets.app, name="secret")
app.add_typer(search.app, name="search")


def main() -> None:
    """Entry point of `aiga`."""
    app()
