"""Finding each tool, by the first way that works: PATH, cache, download, Go build."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools import download, golang, present, versions
from tools.catalogue import Asset, Catalogue, Platform, Tool, this_platform
from tools.errors import Impossible, ToolError
from tools.progress import Progress
from tools.store import Slot, digest

_DOWNLOADS_AT_ONCE = 4
_MIB = 1 << 20


@dataclass
class Finding:
    """What is known about one tool: where it is, how it came, and which ways were closed."""

    tool: Tool
    path: Path | None = None
    way: str = ""
    unverified: bool = False
    closed: list[tuple[str, Impossible]] = field(default_factory=list)

    def why_not(self) -> str:
        return "; ".join(f"{way}: {error.why}" for way, error in self.closed)


class Installer:
    """One run: what it learns about the machine holds until its end."""

    def __init__(
        self,
        catalogue: Catalogue,
        root: Path,
        progress: Progress,
        *,
        downloads: bool = True,
        where: Platform | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.root = root
        self.progress = progress
        self.downloads = downloads
        self.where = where or this_platform()
        self._stopped = threading.Event()

    def ensure(self, names: Iterable[str]) -> dict[str, Path]:
        """Executables by name, what is missing installed; ToolError names every tool that cannot be had."""
        since = time.monotonic()
        findings = self.find(names)
        missing = [finding for finding in findings if finding.path is None]
        self._fetch([finding for finding in missing if finding.path is None])
        for finding in missing:
            if finding.path is None:
                self._try(finding, "Go build", self._build)
        if any(finding.path is None for finding in findings):
            raise ToolError(_failure([finding for finding in findings if finding.path is None]))
        self.progress.say(_summary(findings, time.monotonic() - since))
        return {finding.tool.name: finding.path for finding in findings if finding.path}

    def find(self, names: Iterable[str]) -> list[Finding]:
        """What PATH and the cache have; nothing is installed."""
        tools = [self.catalogue.get(name) for name in dict.fromkeys(names)]
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(self._find, tools))

    def _find(self, tool: Tool) -> Finding:
        finding = Finding(tool)
        try:
            finding.path, finding.way = present.on_path(tool), "on PATH"
            return finding
        except Impossible as error:
            finding.closed.append(("PATH", error))
        for way, slot in (("downloaded", self._download_slot(tool)), ("built from Go modules", self._build_slot(tool))):
            if slot is not None and slot.there():
                finding.path, finding.way = slot.executable, f"{way} before"
                finding.unverified = slot.record().get("checked") == download.UNVERIFIED
                break
        return finding

    def _fetch(self, findings: list[Finding]) -> None:
        pool = ThreadPoolExecutor(_DOWNLOADS_AT_ONCE)
        try:
            jobs = [pool.submit(self._try, finding, "download", self._download) for finding in findings]
            for job in jobs:
                job.result()
        except BaseException:
            self._stopped.set()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _try(self, finding: Finding, way: str, step: Callable[[Finding], None]) -> None:
        since = time.monotonic()
        try:
            step(finding)
        except Impossible as error:
            finding.closed.append((way, error))
            return
        note = f" ({download.UNVERIFIED}: checked against the publisher's own list only)" if finding.unverified else ""
        because = f" [{finding.why_not()}]" if finding.closed else ""
        self.progress.say(f"{finding.tool.name}: {finding.way} in {time.monotonic() - since:.1f} s{note}{because}")

    def _download(self, finding: Finding) -> None:
        tool = finding.tool
        asset = self._asset(tool)
        slot = self._download_slot(tool)
        if not self.downloads:
            raise Impossible("switched off (AIGA_TOOLS_DOWNLOAD=0)", "unset AIGA_TOOLS_DOWNLOAD")
        if asset is None or slot is None:
            raise Impossible(f"the publisher has no build for {self.where}")

        def make(folder: Path) -> dict[str, Any]:
            with self.progress.working(f"{tool.name} {tool.version}: downloading") as work:

                def received(done: int, expected: int | None) -> None:
                    if self._stopped.is_set():
                        raise Impossible("stopped")
                    whole = f" of {expected / _MIB:.0f}" if expected else ""
                    work.detail = f"{done / _MIB:.0f}{whole} MB"

                checked = download.install(asset, self._pin(asset), tool.name, folder, received)
            return self._made(tool, tool.version, "download", folder) | checked

        self._fill(slot, finding, make, f"downloaded {tool.version}")
        finding.unverified = slot.record().get("checked") == download.UNVERIFIED

    def _build(self, finding: Finding) -> None:
        tool = finding.tool
        slot = self._build_slot(tool)
        if slot is None:
            raise Impossible("no Go module builds it")

        def make(folder: Path) -> dict[str, Any]:
            self.progress.say(f"{tool.name} {tool.built_version}: building from Go modules …")
            with self.progress.working(f"{tool.name} {tool.built_version}: building from Go modules"):
                built = golang.build(tool, self.catalogue, folder)
            return self._made(tool, tool.built_version, "Go build", folder) | built

        self._fill(slot, finding, make, f"built {tool.built_version} from Go modules")

    def _fill(self, slot: Slot, finding: Finding, make: Callable[[Path], dict[str, Any]], way: str) -> None:
        def waiting() -> None:
            self.progress.say(f"{finding.tool.name}: another run is installing it; waiting")

        try:
            ours = slot.fill(make, waiting)
        except OSError as error:
            raise Impossible(f"{slot.folder.parent}: {error.strerror or error}") from error
        finding.path, finding.way = slot.executable, way if ours else f"{way} by another run"

    def _made(self, tool: Tool, version: str, way: str, folder: Path) -> dict[str, Any]:
        """The record of a fresh tool, which must run and be the version it should be."""
        said = present.version_of(tool, folder / tool.name)
        if versions.number(said) != versions.number(version):
            raise Impossible(f"it says that it is {said}, not {version}")
        return {"tool": tool.name, "version": version, "way": way, "platform": str(self.where)}

    def _asset(self, tool: Tool) -> Asset | None:
        return tool.download.asset(tool.version, self.where) if tool.download else None

    def _pin(self, asset: Asset) -> str | None:
        return self.catalogue.sums.get(asset.url)

    def _download_slot(self, tool: Tool) -> Slot | None:
        asset = self._asset(tool)
        if asset is None:
            return None
        return Slot(self.root, tool.name, f"{tool.version}-{digest(asset.url, self._pin(asset))}")

    def _build_slot(self, tool: Tool) -> Slot | None:
        if tool.go is None:
            return None
        inputs = golang.inputs(tool, self.catalogue, self.where)
        return Slot(self.root, tool.name, f"{tool.built_version}-{digest(*inputs)}")


def _summary(findings: list[Finding], seconds: float) -> str:
    ways: dict[str, list[str]] = {}
    for finding in findings:
        ways.setdefault(finding.way, []).append(finding.tool.name)
    listed = "; ".join(f"{way}: {', '.join(names)}" for way, names in ways.items())
    unverified = [finding.tool.name for finding in findings if finding.unverified]
    note = f"; {download.UNVERIFIED}: {', '.join(unverified)}" if unverified else ""
    return f"{len(findings)} ready in {seconds:.1f} s ({listed}{note})"


def _failure(findings: list[Finding]) -> str:
    lines = [f"{len(findings)} tool{'s' if len(findings) > 1 else ''} missing, and no way to get them worked:"]
    for finding in findings:
        tool = finding.tool
        lines.append(f"  {tool.name} {tool.version} (needed by: {', '.join(tool.needed_by)})")
        lines += [f"    {way}: {error.why}" for way, error in finding.closed]
    remedies = dict.fromkeys(error.remedy for finding in findings for _, error in finding.closed if error.remedy)
    return "\n".join([*lines, "Any one of these helps:", *(f"  - {remedy}" for remedy in remedies)])
