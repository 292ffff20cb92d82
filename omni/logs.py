"""How a log line looks: time, level, process, logger, constant message, then the facts.

Control characters are escaped, so that a person's text can never write to a terminal.
"""

import logging
import os
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_ESCAPES = {code: f"\\x{code:02x}" for code in [*range(32), 127, *range(128, 160)]}
PROCESS_NAME = os.environ.get("OMNI_PROCESS", "omni")


class LineFormatter(logging.Formatter):
    """`2026-01-02T03:04:05.678Z INFO web omni.events: Event stored. event_id=1`"""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
        facts = " ".join(f"{name}={value}" for name, value in vars(record).items()
                         if name not in _STANDARD)
        line = f"{stamp} {record.levelname} {PROCESS_NAME} {record.name}: {record.getMessage()}"
        line = (f"{line} {facts}" if facts else line).translate(_ESCAPES)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line
