"""The process that serves: gunicorn, its workers, logs, metrics, readiness. Nothing here knows a resource."""
