"""The process that pretends: what the controllers, load balancers, disks and webhooks of a real cluster would do.

Started by `up`, it detaches and works until its home is gone or another of its kind takes over.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
import time
from pathlib import Path

from simulator.addresses import Addresses
from simulator.authority import Authority
from simulator.bundles import Bundles
from simulator.home import Home
from simulator.ledger import Ledger
from simulator.resources import Resources
from simulator.services import Services
from simulator.volumes import Volumes
from simulator.watching import Api
from simulator.webhooks import Server

_CHECK_EVERY = 1.0
_AGAIN_AFTER = 0.1
log = logging.getLogger("simulator")


def main() -> None:
    """Work until the home is gone."""
    parser = argparse.ArgumentParser(prog="python -m simulator.pretend", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    home = Home.at(parser.parse_args().home)
    if os.fork():
        os._exit(0)  # the caller's child ends here, so nobody is left with a zombie
    os.setsid()
    _log_to(home.pretend_log)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        _work(home)
    except Exception:
        log.exception("the pretending process ends")
        raise


def _work(home: Home) -> None:
    api = _connect(home)
    ledger = Ledger(home.pretended)
    authority = Authority(home.authority)
    bundles = Bundles(api, ledger, authority.bundle)
    addresses = Addresses(api, ledger)
    volumes = Volumes(api, ledger)
    resources = Resources(api, ledger, bundles)
    directory = Services(api, home, services=addresses.services, bundles=bundles, authority=authority, ledger=ledger)
    with Server(home.socket, directory) as server:
        threading.Thread(target=server.serve_forever, name="webhooks", daemon=True).start()
        for watch in (*bundles.watches, *addresses.watches, *volumes.watches, resources.crds):
            watch.synced.wait()
        home.pretend_pid.write_text(str(os.getpid()))
        log.info("at work for %s", api.server)
        while _in_charge(home):
            time.sleep(_CHECK_EVERY)
    log.info("no longer in charge")


def _in_charge(home: Home) -> bool:
    try:
        return home.pretend_pid.read_text() == str(os.getpid())
    except OSError:
        return False


def _connect(home: Home) -> Api:
    """The kubeconfig appears, and the server answers, while this process is starting."""
    while home.kwok.exists():
        if home.kubeconfig.exists() and (api := Api(str(home.kubeconfig))).ready():
            return api
        time.sleep(_AGAIN_AFTER)
    raise SystemExit(f"{home.kwok} is gone")


def _log_to(path: Path) -> None:
    logging.basicConfig(filename=path, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")


if __name__ == "__main__":
    main()
