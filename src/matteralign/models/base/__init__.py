"""What every wrapper builds on."""
