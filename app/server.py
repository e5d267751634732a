"""The server: routes, pages, the worker beside it, and their orderly end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.shell.inference import DeskKeeper
from app.shell.security import LOCAL_NAMES
from app.shell.studio import Studio
from app.shell.worker import WorkerKeeper
from vecaf.errors import InputError
from vecaf.settings import Settings
from vecaf.store import Store
from vecaf.store.integrity import check_at_start
from vecaf.store.server_store import WRITERS, ServerStore

if TYPE_CHECKING:
    from fastapi import FastAPI

QUEUE_SECONDS = 0.015
THREADS = 2 * WRITERS  # of routes and handlers: waiting changes take at most half

log = logging.getLogger(__name__)


def build(studio: Studio) -> FastAPI:
    """The application: our routes first, Gradio's pages for the rest."""
    # Gradio reads these when it is imported: no telemetry, no version check, no run history.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import gradio as gr
    from anyio import to_thread
    from fastapi import FastAPI
    from starlette.routing import Mount

    from app import api
    from app.login import routes as login
    from app.pages import PAGES, pages
    from app.pages import routes as page_routes
    from app.shell import downloads, health, media, static, uploads
    from app.shell.authentication import Door
    from app.shell.body_limit import BodyLimit
    from app.shell.gradio_routes import Narrow
    from app.shell.head import Head
    from app.shell.security import Guard
    from app.shell.sentences import answer_with_sentences
    from app.shell.theme import theme

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield

    app = FastAPI(
        title="VeCAF Studio", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None
    )

    answer_with_sentences(app, studio.settings)

    app.include_router(health.routes(studio))
    app.include_router(static.routes())
    if studio.accounts:
        app.include_router(login.routes(studio))
    app.include_router(media.routes(studio))
    app.include_router(uploads.routes(studio))
    app.include_router(downloads.routes(studio))
    app.include_router(api.routes(studio))
    for router in page_routes(studio):
        app.include_router(router)
    # Gradio warns that several pages can't be rendered on the server, which nobody asked for.
    warnings.filterwarnings("ignore", "SSR mode is not supported", UserWarning)
    demo = pages(studio)
    with demo:
        api.endpoints(studio)
    gr.mount_gradio_app(
        app,
        demo,
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,  # of errors that we raise on purpose, the sentence is shown all the same
        max_file_size=studio.settings.limits.max_member_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
    )
    # Gradio looks into its queue every millisecond, which alone is 5% of a core on an idle page.
    demo._queue.sleep_when_free = QUEUE_SECONDS
    mounted = app.routes[-1]
    assert isinstance(mounted, Mount)
    mounted.app = Narrow(mounted.app)
    app.add_middleware(Head, pages=PAGES)
    if studio.accounts:
        app.add_middleware(Door, store=studio.store, threads=studio.authentication)
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard, local_only=not studio.accounts)
    return app


def serve(
    environment: Mapping[str, str],
    host: str,
    port: int,
    *,
    with_worker: bool,
    with_demo: bool,
    accounts: bool = False,
    certificate: tuple[Path, Path | None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then stop the worker.

    `certificate` is a PEM file, and one of its key where that is not in it. Raises InputError where
    the port is taken, VecafError where the database can't be opened or is damaged.
    """
    listener = _listen(host, port)
    settings = Settings.from_environment(environment)
    store = ServerStore.open(settings)
    check_at_start(store)
    environment = {**environment, "VECAF_HOME": str(settings.home)}
    worker = WorkerKeeper(environment) if with_worker else None
    desk = DeskKeeper(environment)
    studio = Studio(settings, store, worker, desk, accounts)

    import uvicorn

    from app.shell import logs
    from app.shell.closing import Server
    from app.shell.connections import BACKLOG, Protocol, raise_file_limit
    from app.shell.demo import DemoKeeper
    from app.shell.uploads import sweep
    from vecaf.export.bundle import sweep as sweep_exports

    logs.set_up()
    raise_file_limit()
    sweep(studio)
    sweep_exports(settings)
    keepers: list[WorkerKeeper | DemoKeeper] = []
    if with_demo and not accounts:  # it would be the local owner's, whom nobody logs in as
        keepers.append(DemoKeeper(store))
    if studio.keeper is not None:
        keepers.append(studio.keeper)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, in order
    try:
        for keeper in keepers:
            keeper.start()
        app = build(studio)
        shown = f"[{host}]" if ":" in host else host
        scheme = "http" if certificate is None else "https"
        print(f"VeCAF Studio is at {scheme}://{shown}:{port} (Ctrl-C stops it).", flush=True)
        if accounts:
            _advise(store, exposed=certificate is None and host not in LOCAL_NAMES)
        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            backlog=BACKLOG,
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=3,
            server_header=False,
            ssl_certfile=certificate and certificate[0],
            ssl_keyfile=certificate and certificate[1],
        )
        Server(config, release=studio.release).run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # uvicorn passes the signal on after its own orderly end
    finally:
        for keeper in reversed(keepers):
            keeper.stop()
        studio.release()
        store.close()


def _advise(store: Store, *, exposed: bool) -> None:
    """What whoever starts a studio with accounts should know."""
    from vecaf.accounts.users import list_users

    with store.read() as session:
        anybody = any(user.can_log_in for user in list_users(session))
    if not anybody:
        print("Nobody can log in yet: python -m vecaf user add NAME", flush=True)
    if exposed:
        print(
            "Passwords cross the network unencrypted: give --certificate, or put the studio behind "
            "a server that speaks https.",
            flush=True,
        )


def _listen(host: str, port: int) -> socket.socket:
    """Take the port first: whoever can't have it should hear so at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # before that a second studio could have it, too
    except OSError as error:
        listener.close()
        raise InputError(
            f"Port {port} on {host} can't be used ({error.strerror}). Is the studio running "
            f"already? Otherwise choose another: --port {port + 1}"
        ) from error
    return listener
