"""`python -m app`: start the studio and its worker."""

from __future__ import annotations

import argparse
import os
import ssl
import sys
from pathlib import Path

from vecaf.errors import InputError, VecafError
from vecaf.garbage_collection import collect_rarely

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM. Return 0, 2 for invalid options, or 1 for other errors."""
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
        description="Start VeCAF Studio and its worker.",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1); an address that other machines can reach "
        "requires --auth",
    )
    parser.add_argument(
        "--auth",
        action="store_true",
        help="require a login; add users with `python -m vecaf user add NAME`",
    )
    parser.add_argument("--certificate", type=Path, help="TLS certificate (PEM); serves HTTPS")
    parser.add_argument(
        "--key", type=Path, help="private key (PEM), if it is not in the certificate file"
    )
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default: 7860)")
    parser.add_argument("--home", type=Path, help="data folder; overrides VECAF_HOME")
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:N; overrides VECAF_DEVICE")
    parser.add_argument("--engine", help="what executes jobs: local or ray; overrides VECAF_ENGINE")
    parser.add_argument(
        "--no-worker",
        action="store_true",
        help="start no worker; start one with `python -m vecaf worker`",
    )
    parser.add_argument(
        "--no-demo", action="store_true", help="do not import the demo into an empty data folder"
    )
    return parser


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """Return the environment from which the server and its worker read their settings."""
    if options.host not in LOOPBACK and not options.auth:
        raise InputError(
            f"--host {options.host} requires --auth, because other machines can reach the studio "
            "at this address. Add users with `python -m vecaf user add NAME`, then start the "
            "studio with --auth. Or keep --host 127.0.0.1 and connect through an SSH tunnel: "
            f"ssh -L {options.port}:127.0.0.1:{options.port} THIS_MACHINE"
        )
    if not 1 <= options.port <= 65535:
        raise InputError(
            f"--port {options.port} is not a valid port. Use a number from 1 to 65535."
        )
    environment = {"OMP_WAIT_POLICY": "passive"} | os.environ  # see vecaf/__main__.py
    if options.home is not None:
        environment["VECAF_HOME"] = str(options.home)
    if options.device:
        environment["VECAF_DEVICE"] = options.device
    if options.engine:
        environment["VECAF_ENGINE"] = options.engine
    return environment


def _certificate(options: argparse.Namespace) -> tuple[Path, Path | None] | None:
    """Return the files of --certificate and --key. Raises InputError if one is invalid."""
    for path in (options.certificate, options.key):
        if path is not None and not path.is_file():
            raise InputError(f"There is no file {path}. Check the path.")
    if options.certificate is None:
        if options.key is not None:
            raise InputError("--key requires --certificate. Add the certificate of this key.")
        return None
    try:
        ssl.create_default_context().load_cert_chain(options.certificate, options.key)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            f"{options.certificate} can't be used as a TLS certificate ({error}). Use a PEM file "
            "that contains the certificate and its private key, or pass the key with --key."
        ) from error
    return options.certificate, options.key


if __name__ == "__main__":
    collect_rarely()
    sys.exit(main())
