"""The published JSON Schema: current, described, and of one mind with the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from spec_projects import FULL, projects
from spec_world import HEAD, SOURCE, said

from aiga.spec import schema

COMMITTED = Path(__file__).parents[2] / "docs" / "project.schema.json"
SCHEMA = schema.schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_committed_schema_is_current() -> None:
    assert schema.check(COMMITTED), "the models have changed: aiga.spec.schema.write writes it anew"


def test_a_stale_schema_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    assert not schema.check(file)
    schema.write(file)
    assert schema.check(file)
    file.write_text(file.read_text().replace("apiVersion", "version"))
    assert not schema.check(file)


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def _properties() -> list[tuple[str, str, dict[str, Any]]]:
    models = {"Project": SCHEMA, **SCHEMA["$defs"]}
    return [(model, key, entry) for model, part in models.items() for key, entry in part.get("properties", {}).items()]


def test_every_property_is_described_and_each_model_too() -> None:
    assert [f"{model}.{key}" for model, key, entry in _properties() if not entry.get("description", "").strip()] == []
    assert [model for model, part in SCHEMA["$defs"].items() if not part.get("description")] == []


def test_every_optional_property_has_its_default() -> None:
    required = {model: part.get("required", []) for model, part in {"Project": SCHEMA, **SCHEMA["$defs"]}.items()}
    assert [f"{m}.{key}" for m, key, entry in _properties() if key not in required[m] and "default" not in entry] == []


def test_unknown_keys_are_refused_everywhere() -> None:
    assert [model for model, part in SCHEMA["$defs"].items() if part.get("additionalProperties") is not False] == []


@given(st.one_of(projects(), st.just(FULL)))
@settings(max_examples=30, deadline=None)
def test_any_valid_project_is_valid_by_the_schema(file: dict[str, Any]) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(file)] == []


@pytest.mark.parametrize(
    "text",
    [
        "timout: 1h\n",
        "timeout: 30\n",
        "timeout: soon\n",
        "resources: {gpu: '1'}\n",
        "resources: {memory: 2GB}\n",
        "sources: {1st: {kind: files, path: a}}\n",
        "sources: {a: {kind: fiels, path: a}}\n",
        "etl: [{name: Clean, run: a:b}]\n",
        "etl: [{name: clean}]\n",
        SOURCE + "train: {run: a:b, out: [model], search: {space: {lr: {log: [1, 2]}}}}\n",
    ],
)
def test_what_the_models_refuse_of_single_fields_the_schema_refuses_too(text: str) -> None:
    assert said(text)
    assert not VALIDATOR.is_valid(yaml.safe_load(HEAD + text))
