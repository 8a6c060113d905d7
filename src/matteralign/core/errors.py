"""Errors whose whole message is written for the reader."""

from __future__ import annotations


class MatterAlignError(Exception):
    """Base of every error this package raises on purpose.

    The message is complete: what was wrong, where, and what to do. The command line
    prints it without a traceback.
    """

    exit_code = 1


class UserError(MatterAlignError):
    """A wrong name, key or value given by the user; the command line exits with 2."""

    exit_code = 2


class WriteError(UserError):
    """A file that the system does not let be written: the disk is full, or may not be written."""


class IntegrityError(MatterAlignError):
    """A file does not hold what its hash, sidecar or header promises."""


def told(error: BaseException) -> str:
    """Return what an error of another package says, its name where it says nothing."""
    return str(error) or type(error).__name__


def os_fault(error: OSError) -> str:
    """Return what the system refused, and of which file."""
    place = "" if error.filename is None else f"{error.filename}: "
    return f"{place}{error.strerror or told(error)}"


class FetchError(MatterAlignError):
    """A file could not be had from any of its sources."""
