"""What the admin API answers with: rows of plain members, page by page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

Row = dict[str, Any]
Limit = Annotated[int, Query(ge=1, le=500)]
Page = Annotated[str, Query(max_length=500, description="the last id of the page before")]
