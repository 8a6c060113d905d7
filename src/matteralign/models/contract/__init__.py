"""What every wrapper must do, as checks that run on it."""
