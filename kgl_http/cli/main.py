"""The ``kgl`` command: everything that an operator does with a knowledge graph.

Answers go to standard output; errors, refused lines and progress to standard error. Exit status: 0 done; 1 an error,
or lines that were refused; 2 a command line that cannot be understood.
"""

from __future__ import annotations

import os

import click

from kgl_core.distribution import DISTRIBUTION
from kgl_http.cli.database.check import check
from kgl_http.cli.database.indexes import index
from kgl_http.cli.database.migrate import migrate
from kgl_http.cli.evidence import assertions, contribution, extract, reinstate, values, withdraw
from kgl_http.cli.import_and_export import export, import_
from kgl_http.cli.oauth_clients import client
from kgl_http.cli.origins import extractor, source
from kgl_http.cli.serve import serve
from kgl_http.cli.stats import runs, stats
from kgl_http.cli.terminal import Commands
from kgl_http.cli.users import user
from kgl_http.settings import InvalidSettings, makes_secret, read_settings, signing_problems


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name=DISTRIBUTION, message="kgl %(version)s")
@click.option(
    "--database-url",
    metavar="URL",
    help="Where the graph is kept; DATABASE_URL says so too, and keeps passwords out of the list of processes.",
)
@click.pass_context
def main(context: click.Context, database_url: str | None) -> None:
    """Keep a knowledge graph: entities and relationships, on SQLite or PostgreSQL.

    The graph is in the database that DATABASE_URL names: sqlite:///file.db or postgresql://user@host/database. Without
    it, in kgl.db in the current folder.

    \b
    To begin:
      kgl migrate                make or upgrade the tables
      kgl serve                  serve the API
      kgl import graph.ndjson    load entities and relationships
      kgl stats                  count what is there
      kgl export > copy.ndjson   save everything
      kgl check                  verify the database as a whole

    Exit status: 0 done; 1 an error, or refused lines; 2 a command line that cannot be understood.
    """
    environment = {**os.environ, "DATABASE_URL": database_url} if database_url else os.environ
    try:
        context.obj = read_settings(environment)
    except InvalidSettings as error:
        if context.invoked_subcommand != "serve" or makes_secret(environment):
            raise
        raise InvalidSettings([*error.problems, *signing_problems(environment)]) from None


for command in (
    assertions,
    check,
    client,
    contribution,
    export,
    extract,
    extractor,
    import_,
    index,
    migrate,
    reinstate,
    runs,
    serve,
    source,
    stats,
    user,
    values,
    withdraw,
):
    main.add_command(command)
