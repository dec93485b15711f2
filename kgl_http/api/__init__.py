"""What all resources share: requests and answers, problems, authentication, preconditions, idempotency keys."""
