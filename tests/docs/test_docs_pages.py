"""What the pages name exists: links, commands, files, keys, decisions."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from docs_world import PAGES, ROOT, anchors, code, links, name, targets, variables
from pydantic import BaseModel

import simulator.__main__
import stacks.cli
import tools.__main__
from stacks import reference
from stacks.clusters import CLUSTERS
from stacks.models import Layers
from stacks.settings import Settings

APPS: dict[str, typer.Typer] = {
    "stacks": stacks.cli.app,
    "simulator": simulator.__main__.app,
    "tools": tools.__main__.app,
}
FOLDERS = "stacks|components|kube|simulator|tools|tests|benchmarks|docs|\\.github"
MADE_BY_PEOPLE = {"Pulumi.civo.yaml", "Pulumi.onprem.yaml"}
"""Stack files that the pages tell people to write."""
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
each_page = pytest.mark.parametrize("page", PAGES, ids=name)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(target), f"{name(page)} links to {link}, which has no such heading"


@each_page
def test_make_commands_exist(page: Path) -> None:
    for piece in code(page):
        for arguments in re.findall(r"\bmake ((?:[a-zA-Z][\w=./\"-]* ?)+)", piece):
            for word in arguments.split():
                if "=" in word:
                    assert word.split("=")[0] in variables(), f"{name(page)}: make {arguments}: nobody reads {word}"
                else:
                    assert word in targets(), f"{name(page)}: make {word}: no such target"


@each_page
def test_python_commands_exist(page: Path) -> None:
    for piece in code(page):
        for module, word in re.findall(r"python -m (stacks|simulator|tools)(?: ([a-z]+))?", piece):
            assert not word or word in commands(APPS[module]), (
                f"{name(page)}: python -m {module} {word}: no such command"
            )


def commands(app: typer.Typer) -> set[str]:
    return {each.name or (each.callback.__name__ if each.callback else "") for each in app.registered_commands}


@each_page
def test_files_exist(page: Path) -> None:
    for piece in code(page):
        for path in re.findall(rf"(?<![\w/.~-])((?:{FOLDERS})/[\w./*-]*|Pulumi\.\w+\.yaml)", piece):
            if path in MADE_BY_PEOPLE:
                continue
            assert list(ROOT.glob(path.rstrip("./"))), f"{name(page)} names {path}, which is not there"


@each_page
def test_keys_of_the_configuration_exist(page: Path) -> None:
    for piece in code(page):
        for key in re.findall(r"\baiga:([a-zA-Z]+(?:\.[a-zA-Z]+)*)", piece):
            if key.split(".")[0] not in ("platform", "objcetStore"):  # a type token; a mistake shown on purpose
                assert _known(key), f"{name(page)} names aiga:{key}, which is no key"


def _known(key: str) -> bool:
    model: type[BaseModel] | None = Settings
    for part in key.split("."):
        if model is None:
            return False
        info = next((i for i in model.model_fields.values() if i.alias == part), None)
        if info is None:
            return False
        base, _ = reference._base(info)
        model = base if isinstance(base, type) and issubclass(base, BaseModel) else None
    return True


@each_page
def test_our_environment_variables_are_read(page: Path) -> None:
    folders = ("aiga", "stacks", "components", "kube", "simulator", "tools", "tests")
    sources = "".join(p.read_text() for folder in folders for p in (ROOT / folder).rglob("*.py"))
    for piece in code(page):
        for variable in re.findall(r"\bAIGA_[A-Z_]+", piece):
            assert f'"{variable}"' in sources, f"{name(page)} names {variable}, which nothing reads"


@pytest.mark.parametrize("provider", CLUSTERS)
def test_first_steps_of_each_provider_are_its_own(provider: str) -> None:
    text = (ROOT / "docs" / "providers.md").read_text()
    for command in CLUSTERS[provider].create:
        assert command in text, f"docs/providers.md lacks {provider}'s `{command}`"


def test_pages_name_no_path_of_one_machine() -> None:
    home = re.escape(os.path.expanduser("~"))
    for page in PAGES:
        assert not re.search(rf"{home}/|/home/|/tmp/|/Users/", page.read_text()), name(page)


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    assert [p.name[:4] for p in DECISIONS] == [f"{n:04}" for n in range(1, len(DECISIONS) + 1)]
    for page in DECISIONS:
        assert f"[{page.name[:4]}]({page.name})" in index, f"{page.name} is not in the index"


@pytest.mark.parametrize("page", DECISIONS, ids=name)
def test_a_decision_has_its_parts(page: Path) -> None:
    text = page.read_text()
    assert text.startswith(f"# {page.name[:4]}: ")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["Context", "Decision", "Consequences", "Measured", "Alternatives"]


def test_decisions_that_the_code_refers_to_exist() -> None:
    numbers = {page.name[:4] for page in DECISIONS}
    for folder in ("stacks", "components", "kube", "simulator", "tools"):
        for file in (ROOT / folder).rglob("*.py"):
            for number in re.findall(r"docs/adr/(\d{4})", file.read_text()):
                assert number in numbers, f"{name(file)} refers to decision {number}, which is not there"


def test_the_picture_shows_every_layer() -> None:
    root = ElementTree.parse(ROOT / "docs" / "img" / "layers.svg").getroot()
    text = " ".join(" ".join(part.itertext()) for part in root.iter("{http://www.w3.org/2000/svg}text")).lower()
    for layer in Layers.model_fields:
        assert all(word in text for word in layer.split("_")), f"the picture lacks {layer}"
