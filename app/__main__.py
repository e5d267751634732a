"""python -m app: starts the studio and its worker."""

from __future__ import annotations

import argparse
import gc
import os
import ssl
import sys
from pathlib import Path

from vecaf.errors import InputError, VecafError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM; 0 then, 2 for options that can't be used, 1 for failures."""
    options = _parser().parse_args(arguments)
    try:
        environment = _environment(options)
        from .server import serve

        serve(
            environment,
            options.host,
            options.port,
            with_worker=not options.no_worker,
            with_demo=not options.no_demo,
            accounts=options.auth,
            certificate=_certificate(options),
        )
    except VecafError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app" if __package__ == "app" else "vecaf studio",
        description="Start VeCAF Studio in the browser.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (127.0.0.1); others need --auth"
    )
    parser.add_argument(
        "--auth", action="store_true", help="people log in; `python -m vecaf user add` adds them"
    )
    parser.add_argument("--certificate", type=Path, help="a TLS certificate (PEM): serve https")
    parser.add_argument("--key", type=Path, help="its private key (PEM), if in a file of its own")
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
    if options.host not in LOOPBACK and not options.auth:
        raise InputError(
            f"--host {options.host}: others could reach the studio there, so people must log in: "
            "add them by `python -m vecaf user add NAME` and start it with --auth. Or stay on "
            "127.0.0.1 and reach it through an SSH tunnel: "
            f"ssh -L {options.port}:127.0.0.1:{options.port} THIS_MACHINE"
        )
    if not 1 <= options.port <= 65535:
        raise InputError(f"--port {options.port}: a port lies between 1 and 65535.")
    environment = {"OMP_WAIT_POLICY": "passive"} | os.environ  # see vecaf/__main__.py
    if options.home is not None:
        environment["VECAF_HOME"] = str(options.home)
    if options.device:
        environment["VECAF_DEVICE"] = options.device
    return environment


def _certificate(options: argparse.Namespace) -> tuple[Path, Path | None] | None:
    """The files of --certificate and --key; raises InputError for what is not one."""
    for path in (options.certificate, options.key):
        if path is not None and not path.is_file():
            raise InputError(f"{path}: there is no such file.")
    if options.certificate is None:
        if options.key is not None:
            raise InputError("--key needs --certificate beside it.")
        return None
    try:
        ssl.create_default_context().load_cert_chain(options.certificate, options.key)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"{options.certificate} is no certificate with its key, in PEM form ({error})."
        ) from error
    return options.certificate, options.key


if __name__ == "__main__":
    status = main()
    gc.freeze()  # else Python searches everything loaded for garbage before it ends: seconds
    sys.exit(status)
