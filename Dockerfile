# The service, as a user without rights, on a root file system that may be read-only. See docs/how-to/deploy.md.

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Packages first: this layer changes only when a lock does. The service's environment has no pip of its own.
COPY requirements-build.lock requirements-service.lock ./
RUN python -m venv tools \
    && tools/bin/pip install --require-hashes -r requirements-build.lock \
    && python -m venv --without-pip /opt/kgl \
    && tools/bin/pip --python /opt/kgl/bin/python install --require-hashes --only-binary :all: -r requirements-service.lock
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY kgl_core kgl_core
COPY kgl_adapters kgl_adapters
COPY kgl_http kgl_http
RUN tools/bin/hatchling build --target wheel --directory dist \
    && tools/bin/pip --python /opt/kgl/bin/python install --no-index --no-deps dist/*.whl \
    && tools/bin/pip --python /opt/kgl/bin/python check

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="kgl-backend" \
    org.opencontainers.image.description="The backend of Knowledge Graph Lab: a knowledge graph behind an HTTP API" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 kgl \
    && useradd --uid 10001 --gid kgl --home-dir /data --no-create-home --shell /usr/sbin/nologin kgl \
    && install --directory --owner kgl --group kgl --mode 0700 /data
COPY --from=build /opt/kgl /opt/kgl
ENV PATH=/opt/kgl/bin:$PATH PYTHONDONTWRITEBYTECODE=1
# Where an SQLite file goes if DATABASE_URL names one without a folder; PostgreSQL needs nothing here.
WORKDIR /data
# By number, so that a platform can see that it is not root.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
ENTRYPOINT ["kgl"]
CMD ["serve", "--host", "0.0.0.0"]
