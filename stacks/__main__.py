"""Runs the command line: python -m stacks."""

from stacks.cli import app

app(prog_name=".venv/bin/python -m stacks")
