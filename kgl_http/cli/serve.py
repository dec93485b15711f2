"""``kgl serve``: serves the API."""

from __future__ import annotations

import os

import click

from kgl_adapters.connect import parse_replica_url
from kgl_core.distribution import DISTRIBUTION
from kgl_http.cli.opening import durable_url
from kgl_http.settings import Settings, makes_secret, read_settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port; 0 picks one.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes; by default as many as there are cores.")
@click.option("--threads", type=click.IntRange(2, 256), default=4, show_default=True, help="Threads a process.")
@click.pass_obj
def serve(settings: Settings, host: str, port: int, workers: int | None, threads: int) -> None:
    """Serve the API under gunicorn until stopped.

    The database must be at head: run `kgl migrate` first. JWT_SECRET must be set, or KGL_ENV=development, which makes
    one in .kgl/jwt_secret.
    """
    try:
        from kgl_http.server import serving
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is not installed: pip install '{DISTRIBUTION}[service]'") from error
    environment = {**os.environ, "DATABASE_URL": str(settings.database_url)}
    if makes_secret(environment):
        environment["JWT_SECRET"] = serving.development_secret()
    settings = read_settings(environment, for_service=True)
    durable_url(settings)  # in memory, each worker would have a graph of its own
    if settings.database_replica_url:
        parse_replica_url(settings.database_url, settings.database_replica_url)
    serving.serve(settings, host=host, port=port, workers=workers or os.cpu_count() or 1, threads=threads)
