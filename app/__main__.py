"""python -m app: starts the studio and its worker."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from pathlib import Path

from vecaf.errors import InputError, VecafError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; 0 then, 2 for options that can't be used, 1 for failures."""
    options = _parser().parse_args(arguments)
    try:
        environment = _environment(options)
        from app.server import serve

        serve(
            environment,
            options.host,
            options.port,
            with_worker=not options.no_worker,
            with_demo=not options.no_demo,
        )
    except VecafError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app", description="Start VeCAF Studio in the browser."
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; only this machine's own for now"
    )
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (7860)")
    parser.add_argument("--home", type=Path, help="folder that holds everything (VECAF_HOME)")
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:N (VECAF_DEVICE)")
    parser.add_argument(
        "--no-worker", action="store_true", help="start no worker; run `python -m vecaf worker`"
    )
    parser.add_argument(
        "--no-demo", action="store_true", help="leave an empty home empty instead of showing a demo"
    )
    return parser


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """The environment that the server and its worker read their settings from."""
    if options.host not in LOOPBACK:
        raise InputError(
            f"--host {options.host}: the studio has no accounts yet, so it listens on this "
            "machine's own address only (127.0.0.1). Reach it from elsewhere through an SSH "
            f"tunnel: ssh -L {options.port}:127.0.0.1:{options.port} THIS_MACHINE"
        )
    if not 1 <= options.port <= 65535:
        raise InputError(f"--port {options.port}: a port lies between 1 and 65535.")
    environment = dict(os.environ)
    if options.home is not None:
        environment["VECAF_HOME"] = str(options.home)
    if options.device:
        environment["VECAF_DEVICE"] = options.device
    return environment


if __name__ == "__main__":
    status = main()
    gc.freeze()  # else Python searches everything loaded for garbage before it ends: seconds
    sys.exit(status)
