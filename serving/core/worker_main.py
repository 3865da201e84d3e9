"""The process of `worker`: python -m ebbflow.serving.core.worker_main NAME."""

from __future__ import annotations

import os
import sys

from .worker import serve

if __name__ == "__main__":
    # What a policy prints must not get between the messages.
    with os.fdopen(os.dup(1), "wb") as answers, os.fdopen(os.dup(0), "rb") as requests:
        os.dup2(2, 1)
        serve(sys.argv[1], requests, answers)
