"""What every section of the configuration shares."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9\-]*$")]


class StrictSection(BaseModel):
    """A section that refuses unknown keys and cannot be changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
