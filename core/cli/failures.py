"""How a command ends that could not do its work: one line on stderr and an exit code, never a raw traceback."""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from pathlib import Path

from core.base.errors import BrigadeError
from core.cli import codes, streams
from core.cli.logs import keep_logs, log_file

log = logging.getLogger("core.cli")


def guarded(args: argparse.Namespace) -> int:
    """Run the command of `args` and turn whatever it raises into a message and a code."""
    keep_logs(args)
    try:
        code: int = args.run_command(args)
    except BrokenPipeError:  # `... | head`: the reader has what it wanted
        streams.abandon()
        return codes.OK
    except KeyboardInterrupt:
        complain("interrupted")
        return codes.INTERRUPTED
    except BrigadeError as error:
        _trace(args)
        complain(str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last place before the operator
        return _unexpected(args, error)
    return _delivered(code)


def _delivered(code: int) -> int:
    """The command's own code, also when nobody waited for its last lines."""
    try:
        streams.flush()
    except BrokenPipeError:
        streams.abandon()
    return code


def complain(text: str) -> None:
    """One message on stderr, with what could move the cursor taken out."""
    from core.cli.output import harmless

    print(f"brigade: {harmless(text, keep_lines=True)}", file=sys.stderr, flush=True)


def _unexpected(args: argparse.Namespace, error: Exception) -> int:
    """A fault of ours: say what and where the traceback is."""
    _trace(args)
    where = _logged(args, error)
    complain(f"unexpected {type(error).__name__}: {error} ({where})")
    return codes.FAILED


def _logged(args: argparse.Namespace, error: Exception) -> str:
    log.critical("%s", " ".join(sys.argv), exc_info=error)
    path: Path | None = log_file(args)
    return f"the traceback is in {path}" if path is not None and path.is_file() else "--debug shows the traceback"


def _trace(args: argparse.Namespace) -> None:
    if getattr(args, "debug", None):
        traceback.print_exc()
