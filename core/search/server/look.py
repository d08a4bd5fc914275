"""Looking at a server's collection before a run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from core.base.endpoints import SearchConfig
from core.search.identity import Mark
from core.search.server.client import Layout, connect, layout_of, place_of, require_layout, server_errors


async def look(config: SearchConfig, wanted: Mark, env: Mapping[str, str]) -> str:
    """What the collection is like; SearchError where it is out of reach, missing or does not fit."""
    client = connect(config, env)
    try:
        with server_errors(config):
            async with asyncio.timeout(config.timeout_s):
                info = await client.get_collection(config.collection)
    finally:
        await client.close()
    layout = layout_of(info, config)
    require_layout(layout, wanted, config)
    return f"{place_of(config)}: {layout.points} points{_remarks(layout, config)}"


def _remarks(layout: Layout, config: SearchConfig) -> str:
    """What works but could be better."""
    remarks = []
    if not layout.tenant_indexed:
        remarks.append(f"no payload index on {config.restaurant_field!r}: create a keyword index, or searches are slow")
    if not layout.has_sparse:
        remarks.append(f"no sparse vector {config.sparse!r}: searching by meaning only")
    return "".join(f"; {remark}" for remark in remarks)
