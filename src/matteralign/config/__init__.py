"""The study's configuration: what a user may set, checked key by key."""
