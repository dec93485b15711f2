"""What all resources share: requests, answers, problems, authentication, preconditions, idempotency keys."""
