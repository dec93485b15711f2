"""The composition root of the service: makes every part of it, from the parts that it needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version
from typing import cast

import attrs
from dependency_injector import containers, providers
from sqlalchemy import URL, Engine

from kgl_adapters.clock_and_ids import new_id, now, random
from kgl_adapters.connect import MEMORY_URL, parse_replica_url
from kgl_adapters.memory.store import MemoryStore
from kgl_adapters.retrying import retry
from kgl_adapters.security.access_tokens import make_signer
from kgl_adapters.security.argon2_passwords import Argon2Hasher, BoundedHasher
from kgl_adapters.security.sealing import AesGcmSeal
from kgl_adapters.security.signing_keys import read_keys
from kgl_adapters.sql.engine.engines import Pool, make_engine, parse_url
from kgl_adapters.sql.storage.migrating import require_head
from kgl_adapters.sql.storage.replica_lag import Replica
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core.access.client_tokens import OAuth
from kgl_core.access.logging_in import Auth
from kgl_core.access.passwords import PasswordHasher, Passwords
from kgl_core.access.registering import RegistrationRules
from kgl_core.access.tokens import TokenLifetimes, TokenSigner
from kgl_core.distribution import DISTRIBUTION
from kgl_core.kernel.permissions import SYSTEM
from kgl_core.kernel.units_of_work import Context, Store
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_core.storage.idempotent_store import HeldStore
from kgl_http.api.authentication import Authenticator
from kgl_http.api.idempotency import Idempotency
from kgl_http.app import Collaborators, create_app
from kgl_http.server.long_requests import LongRequestSlots
from kgl_http.server.metrics import Metrics
from kgl_http.server.readiness import Readiness
from kgl_http.server.recent_writers import RecentWriters
from kgl_http.settings import Settings


@attrs.frozen
class Capacity:
    """How many workers serve, and how many threads each has. Pools and limits follow from it."""

    workers: int = 1
    threads: int = 4


def _open_engine(settings: Settings, capacity: Capacity) -> Iterator[Engine | None]:
    """The database's engine, which connects when first used; None for the store in memory."""
    if settings.database_url == MEMORY_URL:
        yield None
        return
    engine = _make_engine(parse_url(settings.database_url), settings, capacity)
    yield engine
    engine.dispose()


def _make_engine(url: URL, settings: Settings, capacity: Capacity) -> Engine:
    pool = Pool(
        size=settings.database_pool_size or capacity.threads,
        overflow=settings.database_pool_overflow,
        timeout_s=settings.database_pool_timeout,
        recycle_s=settings.database_pool_recycle,
        pre_ping=settings.database_pool_pre_ping,
        statement_timeout_s=settings.database_statement_timeout,
    )
    return make_engine(url, pool)


def _make_store(engine: Engine | None, metrics: Metrics) -> Store:
    if engine is None:
        return MemoryStore(metrics.changed)
    store = SqlStore(engine, metrics.changed)
    metrics.watch_connections(store.connections.in_use)
    return store


def _open_replica(store: Store, settings: Settings, capacity: Capacity, metrics: Metrics) -> Iterator[Replica | None]:
    """The standby that answers reads; None where there is none."""
    if not settings.database_replica_url:
        yield None
        return
    url = parse_replica_url(settings.database_url, settings.database_replica_url)
    engine = _make_engine(url, settings, capacity)
    writers = RecentWriters(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
    lag_max_s = settings.database_replica_lag_max
    replica = cast(SqlStore, store).replicate(engine, writers, lag_max_s=lag_max_s, told=metrics.replica_looked_at)
    metrics.watch_connections(replica.connections.in_use)
    yield replica
    replica.close()


def _make_signer(settings: Settings) -> TokenSigner:
    is_shared = settings.jwt_alg == "HS256"
    return make_signer(
        settings.jwt_alg,
        secret=str(settings.jwt_secret) if is_shared else None,
        keys=None if is_shared else read_keys(settings.jwt_keys, settings.jwt_alg),
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )


def _make_hasher(capacity: Capacity) -> PasswordHasher:
    # Over all workers, as many at once as there are cores; and never more than half of a worker's threads.
    running_max = max(1, (os.cpu_count() or 1) // capacity.workers)
    return BoundedHasher(Argon2Hasher(), running_max, max(1, capacity.threads // 2 - running_max))


def _lifetimes(settings: Settings) -> TokenLifetimes:
    return TokenLifetimes(access=settings.access_token_ttl, refresh=settings.refresh_token_ttl)


def _make_auth(settings: Settings, context: Context, passwords: Passwords, signer: TokenSigner) -> Auth:
    return Auth(
        context,
        passwords,
        signer,
        random,
        _lifetimes(settings),
        RegistrationRules(is_open=settings.registration_is_open, per_hour_max=settings.registrations_per_hour),
    )


def _make_oauth(settings: Settings, context: Context, auth: Auth, signer: TokenSigner) -> OAuth:
    return OAuth(context, auth, signer, _lifetimes(settings))


def _open_readiness(store: Store, signer: TokenSigner, replica: Replica | None) -> Iterator[Readiness]:
    def require_database() -> None:
        if isinstance(store, SqlStore):
            with store.connections.wanting():
                require_head(store.engine)

    problem = None if replica is None else lambda: replica.problem
    readiness = Readiness(require_database, signer, problem)
    yield readiness
    readiness.close()


class Container(containers.DeclarativeContainer):
    """All parts of one worker. Made after the fork; call ``init_resources`` before the first request."""

    settings = providers.Dependency(instance_of=Settings)
    capacity = providers.Dependency(instance_of=Capacity, default=Capacity())
    metrics = providers.ThreadSafeSingleton(Metrics)
    engine = providers.Resource(_open_engine, settings, capacity)
    store = providers.ThreadSafeSingleton(_make_store, engine, metrics)
    replica = providers.Resource(_open_replica, store, settings, capacity, metrics)
    idempotent_store = providers.ThreadSafeSingleton(HeldStore, store, now=providers.Object(now))
    context = providers.ThreadSafeSingleton(Context, store, SYSTEM, now, new_id, providers.Object(retry))
    idempotent_context = providers.ThreadSafeSingleton(
        Context, idempotent_store, SYSTEM, now, new_id, providers.Object(retry)
    )
    hasher = providers.ThreadSafeSingleton(_make_hasher, capacity)
    passwords = providers.ThreadSafeSingleton(Passwords, hasher, settings.provided.password_length_min)
    graph = providers.ThreadSafeSingleton(KnowledgeGraph, idempotent_context, passwords, providers.Object(random))
    signer = providers.ThreadSafeSingleton(_make_signer, settings)
    auth = providers.ThreadSafeSingleton(_make_auth, settings, context, passwords, signer)
    authenticator = providers.ThreadSafeSingleton(Authenticator, auth)
    oauth = providers.ThreadSafeSingleton(_make_oauth, settings, context, auth, signer)
    readiness = providers.Resource(_open_readiness, store, signer, replica)
    idempotency = providers.ThreadSafeSingleton(
        Idempotency, idempotent_store, providers.ThreadSafeSingleton(AesGcmSeal, providers.Object(random))
    )
    slots = providers.ThreadSafeSingleton(lambda capacity: LongRequestSlots(max(1, capacity.threads // 2)), capacity)
    app = providers.ThreadSafeSingleton(
        create_app,
        providers.ThreadSafeSingleton(
            Collaborators,
            settings=settings,
            graph=graph,
            auth=auth,
            authenticator=authenticator,
            oauth=oauth,
            signer=signer,
            metrics=metrics,
            readiness=readiness,
            slots=slots,
            idempotency=idempotency,
        ),
        version=version(DISTRIBUTION),
    )
