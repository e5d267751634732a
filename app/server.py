"""The server: routes, pages, processes beside it, and an orderly shutdown."""

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

from vecaf.allocation import with_fast_allocation
from vecaf.errors import InputError
from vecaf.settings import Settings
from vecaf.store import Store
from vecaf.store.integrity import check_at_start
from vecaf.store.server_store import WRITERS, ServerStore

from .shell.inference import InferenceProcess
from .shell.security import LOCAL_NAMES
from .shell.studio import Studio
from .shell.worker import WorkerProcess

if TYPE_CHECKING:
    from fastapi import FastAPI

QUEUE_SECONDS = 0.015
PROGRESS_SECONDS = 1.0
THREADS = 2 * WRITERS  # for routes and handlers; waiting writes take at most half of them

log = logging.getLogger(__name__)


def build(studio: Studio) -> FastAPI:
    """Return the application: the studio's routes, and Gradio's pages for all other paths."""
    # Gradio reads these when it is imported: no telemetry, no version check, no run history.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    # By default, Gradio computes statistics of all calls after each call. Nobody reads them.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)
    from .shell.gradio_import import without_type_stubs

    with without_type_stubs():
        import gradio as gr
    from anyio import to_thread
    from fastapi import FastAPI
    from starlette.routing import Mount

    from . import api
    from .login import routes as login
    from .pages import PAGES, pages
    from .pages import routes as page_routes
    from .shell import downloads, health, media, static, uploads, workflow
    from .shell.authentication import AuthenticationMiddleware
    from .shell.body_limit import BodyLimitMiddleware
    from .shell.gradio_routes import GradioRoutes
    from .shell.head import HeadMiddleware
    from .shell.security import SecurityMiddleware
    from .shell.sentences import answer_with_sentences
    from .shell.theme import theme

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
    app.include_router(workflow.routes(studio))
    app.include_router(api.routes(studio))
    for router in page_routes(studio):
        app.include_router(router)
    # Gradio warns that it can't render several pages on the server, which is switched off anyway.
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
        show_error=False,  # gr.Error shows its sentence anyway
        max_file_size=studio.settings.limits.max_member_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
    )
    # Gradio polls its queue every millisecond, which takes 5% of a core on an idle page. No handler
    # reports progress through Gradio.
    demo._queue.sleep_when_free = QUEUE_SECONDS
    demo._queue.progress_update_sleep_when_free = PROGRESS_SECONDS
    mounted = app.routes[-1]
    assert isinstance(mounted, Mount)
    mounted.app = GradioRoutes(mounted.app)
    app.add_middleware(HeadMiddleware, pages=PAGES)
    if studio.accounts:
        threads = studio.authentication
        app.add_middleware(AuthenticationMiddleware, store=studio.store, threads=threads)
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(SecurityMiddleware, local_only=not studio.accounts)
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
    """Serve until SIGINT or SIGTERM, then stop the processes beside the server.

    `certificate` is a PEM file, and one with its key if the first lacks it.

    Raises
    ------
    InputError
        If the port is in use.
    VecafError
        If the database can't be opened or is damaged.
    """
    listener = _listen(host, port)
    settings = Settings.from_environment(environment)
    store = ServerStore.open(settings)
    check_at_start(store)
    environment = {**environment, "VECAF_HOME": str(settings.home)}
    worker = WorkerProcess(environment) if with_worker else None
    inference = InferenceProcess(with_fast_allocation(environment))
    studio = Studio(settings, store, worker, inference, accounts)

    import uvicorn

    from vecaf.export.bundle import remove_abandoned_exports

    from .shell import logs
    from .shell.closing import Server
    from .shell.connections import BACKLOG, Protocol, raise_file_limit
    from .shell.demo import DemoSetup
    from .shell.search_warmup import SearchWarmup
    from .shell.uploads import sweep

    logs.set_up()
    raise_file_limit()
    sweep(studio)
    remove_abandoned_exports(settings)
    helpers: list[WorkerProcess | DemoSetup | SearchWarmup] = [SearchWarmup(store, inference)]
    if with_demo and not accounts:  # with accounts nobody could see the local owner's demo
        helpers.append(DemoSetup(store))
    if studio.worker is not None:
        helpers.append(studio.worker)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # handled like Ctrl-C
    try:
        for helper in helpers:
            helper.start()
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
        pass  # uvicorn raises it again after its own shutdown
    finally:
        for helper in reversed(helpers):
            helper.stop()
        studio.release()
        store.close()


def _advise(store: Store, *, exposed: bool) -> None:
    """Print advice for a studio with accounts."""
    from vecaf.accounts.users import list_users

    with store.read() as session:
        anybody = any(user.can_log_in for user in list_users(session))
    if not anybody:
        print("No user can log in yet. Add one: python -m vecaf user add NAME", flush=True)
    if exposed:
        print(
            "Passwords are sent unencrypted. Use --certificate, or run the studio behind a proxy "
            "with HTTPS.",
            flush=True,
        )


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the port. Raise InputError at once if it is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # until then a second studio could bind the same port
    except OSError as error:
        listener.close()
        raise InputError(
            f"Port {port} on {host} can't be used ({error.strerror}). Stop the program that uses "
            f"it, or choose another port: --port {port + 1}"
        ) from error
    return listener
