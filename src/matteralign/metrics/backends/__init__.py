"""What computes tiles: compiled loops on the CPU, or torch. Opened by `backend.open_backend`."""
