"""The process for large bodies: `python -m events.door.large_bodies_process DATABASE`.

Requests come on stdin, answers go out on stdout; `large_bodies` is at the other end.
"""

import logging
import os
import pickle
import signal
import sys
from dataclasses import replace
from typing import BinaryIO

import django
from django.db import close_old_connections, connection

logger = logging.getLogger("omni.events")
_NICE = 5


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Take bodies in until there are no more. Django is set up."""
    from events.door.admission import try_later  # only now may models be imported
    from events.door.body_budget import budget
    from events.door.receive import take_in

    while True:
        try:
            head, admitted, size = pickle.load(requests)
            delivery = replace(head, body=requests.read(size))
        except EOFError:
            return
        close_old_connections()
        try:
            answer = take_in(delivery, admitted, budget.share()).result()
        except Exception as exc:  # around a request: whatever the body holds, its sender is told
            logger.exception("A large body could not be taken.")
            answer = try_later(f"{type(exc).__name__}: {exc}")
        del delivery
        pickle.dump(answer, answers)
        answers.flush()


def main() -> None:
    """Whatever prints must not answer, and our parent decides when we end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(_NICE)
    django.setup()
    connection.settings_dict["NAME"] = sys.argv[1]
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
