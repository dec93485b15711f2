"""What every noun needs: how it is described, stored, listed page by page, and kept unique."""
