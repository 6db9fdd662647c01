"""`python -m simulator.standins …`: makes stand-ins, holds them against the real charts, takes CRDs out of those."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from simulator.standins import crds, render, vendored
from simulator.standins.compare import Case, compare, inventory, report
from simulator.standins.output import StandinError, build
from simulator.standins.table import tables


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except StandinError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulator.standins", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("build", help="write the stand-ins to a folder")
    make.add_argument("out", type=Path)
    take = commands.add_parser("definitions", help="write the CRDs of the real charts to crds/ beside them")
    take.add_argument("--vendor", type=Path, default=crds.ROOT / "vendor", help="folder of the real ones")
    helps = {"compare": "list differences from the real charts", "inventory": "list the real charts' objects"}
    for name, what in helps.items():
        command = commands.add_parser(name, help=what)
        command.add_argument("names", nargs="*", help="charts or manifests; all when none is named")
        command.add_argument("--vendor", type=Path, default=crds.ROOT / "vendor", help="folder of the real ones")
        command.add_argument("--cases", type=Path, help="YAML, case: chart: values; the program's profiles by default")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.command == "build":
        print(build(options.out, crds.folder()))
        return 0
    if options.command == "definitions":
        written = vendored.extract(options.vendor)
        print(f"{written}: CRDs of {len(list(written.glob('*.yaml')))} sources")
        return 0
    wanted = [case for case in _cases(options.cases) if not options.names or case[0].name in options.names]
    cases = [case for case in wanted if render.where(options.vendor, case[0]).exists()]
    if not cases:
        raise StandinError(f"{options.vendor}: holds no real charts to compare with (`make vendor` fetches them)")
    for stem in sorted({case[0].stem for case in wanted} - {case[0].stem for case in cases}):
        print(f"{stem}: not in {options.vendor}, left out", file=sys.stderr)
    if options.command == "inventory":
        found: dict[str, dict[str, dict[str, str]]] = {}
        for case in cases:
            found.setdefault(case[1], {})[case[0].name] = inventory(options.vendor, case)
        print(yaml.safe_dump(found, width=200), end="")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        standins = build(Path(folder) / "standins", crds.folder())
        comparisons = [compare(options.vendor, standins, case) for case in cases]
    for line in report(comparisons):
        print(line)
    return 1 if any(c.undeclared or c.extra or c.differing for c in comparisons) else 0


def _cases(file: Path | None) -> Iterator[Case]:
    given = yaml.safe_load(file.read_text()) if file else None
    for table in tables():
        if table.kind == "manifest":
            yield table, "as is", {}
        elif given is None:
            profiles = render.profiles(crds.ROOT / "components" / "values", table)
            yield from ((table, name, values) for name, values in profiles)
        else:
            yield from ((table, name, charts[table.name]) for name, charts in given.items() if table.name in charts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
