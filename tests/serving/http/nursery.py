"""Serves again and again: started once, it forks a server for every line `PORT`, and kills it on `kill`.

A process that has loaded everything is forked in milliseconds, so that hundreds of kills fit into a test.
"""

from __future__ import annotations

import os
import signal
import sys

from ebbflow.serving.core.settings import load_serving
from ebbflow.serving.http.app import create_app
from ebbflow.serving.http.limits import Limits
from ebbflow.serving.http.server import listen, run
from ebbflow.serving.http.start import make_service
from ebbflow.serving.ledger import migrate  # noqa: F401
from ebbflow.serving.messages import parse_request  # noqa: F401


def serve(ledger: str, port: int) -> None:
    """What `ebbflow serve` does, on the rules."""
    service = make_service(load_serving("default", ("gates.check_clock=false",)), ledger, None)
    run(create_app(service), listen("127.0.0.1", port), Limits())


def main(ledger: str) -> None:
    """Obey stdin."""
    child = 0
    for line in sys.stdin:
        if line.strip() == "kill":
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            print("killed", flush=True)
            continue
        child = os.fork()
        if child == 0:
            sys.stdin.close()
            serve(ledger, int(line))
            os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
