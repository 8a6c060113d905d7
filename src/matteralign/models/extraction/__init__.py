"""From structures to latents, batch by batch."""
