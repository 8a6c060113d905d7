"""The verb that writes the tables of a slice."""

from __future__ import annotations

from matteralign.cli.shared.common import (
    DEFAULT_CONFIG,
    ConfigOption,
    SliceArgument,
    say,
    view_of,
)


def tables(slice_name: SliceArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Write the tables of a slice as Parquet and CSV."""
    view = view_of(slice_name, config)
    from matteralign.core.files import write_json
    from matteralign.core.hashing import sha256_file
    from matteralign.store.tidy import write_table
    from matteralign.store.written import keep_only

    written = [
        path
        for stem, frame in view.tables.items()
        for path in write_table(frame, view.layout.tables / stem)
    ]
    hashes = {path.name: sha256_file(path) for path in written}
    write_json(view.layout.table_list, {"results": view.identity, "files": hashes})
    keep_only(view.layout.tables, [*written, view.layout.table_list])
    say(f"tables {slice_name}: {len(view.tables)} tables in {view.layout.tables}")
