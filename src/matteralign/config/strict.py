"""What every section of the configuration shares."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from matteralign.core.patterns import NAME

Name = Annotated[str, StringConstraints(pattern=NAME)]


class StrictSection(BaseModel):
    """A section that refuses unknown keys and cannot be changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
