"""What every noun needs: how it is described, stored, changed, listed page by page, and kept unique."""
