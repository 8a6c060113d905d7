"""The command line: one verb per arrow of the workflow, and a few for people."""
