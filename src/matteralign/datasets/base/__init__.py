"""What every dataset builds on."""
