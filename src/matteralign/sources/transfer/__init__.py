"""How files are downloaded, and from where."""
