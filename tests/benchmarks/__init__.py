"""Measurements of the stores: ``python -m tests.benchmarks``. They print numbers and pass no judgement."""
