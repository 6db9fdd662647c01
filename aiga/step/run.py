"""One try of a step from its order to its metadata."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from aiga.errors import AigaError
from aiga.step import command, contract, exits, metadata, process, records, watch
from aiga.step.capture import Output, Stream
from aiga.step.child import body
from aiga.step.contract import Contract, Folder
from aiga.step.digest import digest
from aiga.step.failure import Failure, failure
from aiga.step.git import Asked
from aiga.step.limits import Cores
from aiga.step.log import LogFile
from aiga.step.metadata import Metadata
from aiga.step.order import Order
from aiga.step.outcome import Outcome, judged
from aiga.step.records import Record, Summary


def run(order: Order) -> int:
    """Does what the order says and writes `metadata.yaml`, whatever happens.

    Returns:
        The exit code, as `aiga.step.exits` tells.
    """
    signals = process.Signals()
    signals.install()
    try:
        folder = contract.fresh(order)
        output = Output(folder.output, tuple(os.environ.get(name, "") for name in order.secrets))
        return _Try(order, folder, output, signals).done()
    except OSError as error:
        print(f"aiga: {order.work}: cannot be written: {error}", file=sys.stderr)
        return exits.of_exception(error)


class _Try:
    def __init__(self, order: Order, folder: Folder, output: Output, signals: process.Signals) -> None:
        self.order, self.folder, self.output, self.signals = order, folder, output, signals
        self.started, self.clock = metadata.now(), time.monotonic()
        self.errors = Stream(output, passed_to=2)
        self.digests: dict[str, str] = {}
        self.logged: Summary | None = None
        self.usage: dict[str, float] = {}
        self.environment: dict[str, Any] = {}
        self.git = Asked(order.source)

    def done(self) -> int:
        """Runs it and writes the metadata.

        Raises:
            OSError: the metadata cannot be written.
        """
        try:
            outcome = self._outcome()
        except Exception as error:
            if not isinstance(error, AigaError | OSError):
                sys.excepthook(type(error), error, error.__traceback__)
            outcome = Outcome("failed", exits.of_exception(error), failure(error, self.order.source))
        if outcome.error is not None and not outcome.shown:
            self.errors.feed(f"aiga: {outcome.error.message}\n".encode("utf-8", "replace"))
        self._metadata(outcome, self.logged or Summary(), metadata.now()).write(self.folder.metadata)
        return outcome.code

    def _outcome(self) -> Outcome:
        order = self.order
        given = contract.prepare(order, self.folder)
        words = [] if order.is_function else command.arguments(order, given)
        for name, path in order.inputs.items():
            self.digests[name] = order.digests.get(name) or digest(path)
        metadata.begin(self.folder, self.started, self.digests)
        ended = self._child(given, words)
        self.usage = dict(ended.usage)
        self.logged = records.summary(self.folder.log)
        return judged(order, given, ended, self.logged.outputs)

    def _child(self, given: Contract, words: list[str]) -> watch.Ended:
        log = LogFile(self.folder.log)

        def found(record: Record) -> None:
            if record.metrics:
                log.metrics(record.metrics, record.step)
            if record.outputs:
                log.outputs(record.outputs)

        cores = Cores(self.order.limits)
        try:
            child = process.Child.start(body(self.order, given, words, cores), self.signals)
            streams = (Stream(self.output, passed_to=1, found=found), self.errors)
            self._meanwhile()
            return watch.watch(child, self.order.limits, self.signals, streams, self.order.runner)
        finally:
            cores.release()
            log.close()

    def _meanwhile(self) -> None:
        """Gets ready for the metadata while the child starts."""
        import yaml  # noqa: F401

        self.environment = metadata.environment()

    def _metadata(self, outcome: Outcome, logged: Summary, ended: datetime) -> Metadata:
        commit = self.git.answer()
        return Metadata(
            **metadata.of_order(self.order),
            **(self.environment or metadata.environment()),
            state=outcome.state,
            exit_code=outcome.code,
            error=outcome.error and self._masked(outcome.error),
            remarks=(*outcome.remarks, *self._remarks(logged)),
            returned=outcome.returned,
            metrics=logged.metrics,
            not_finite=logged.not_finite,
            inputs=self.digests,
            outputs=outcome.outputs,
            started=metadata.iso(self.started),
            ended=metadata.iso(ended),
            seconds=round(time.monotonic() - self.clock, 3),
            usage=self.usage,
            git=asdict(commit) if commit else None,
            output=tuple(self.output.tail),
        )

    def _masked(self, error: Failure) -> Failure:
        masked = self.output.masked_text
        return replace(error, message=masked(error.message), frames=tuple(masked(each) for each in error.frames))

    def _remarks(self, logged: Summary) -> list[str]:
        told = [self.output.trouble] if self.output.trouble else []
        for name, seen in logged.not_finite.items():
            where = ", first at " + " ".join(f"{key} {value:g}" for key, value in seen.items() if key != "count")
            told.append(f"metric {name} was not finite {seen['count']} times{where}")
        if logged.spoilt:
            told.append(f"{logged.spoilt} lines of the log are cut off")
        return told
