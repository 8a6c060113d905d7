"""Scripts for interpreters that hold packages which this environment cannot."""
