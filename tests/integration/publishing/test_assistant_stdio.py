"""The assistant's server as a process of its own, spoken to by the official client."""

import sys

import anyio
import pytest
from mcp import Client, StdioServerParameters

from lakehouse.settings import PROJECT
from publishing.portal.site import build_site
from tests.unit.publishing.lake import PRODUCT, release_both


@pytest.mark.slow
def test_the_server_answers_over_stdio(settings, contracts):
    release_both(settings, contracts)
    build_site(settings, contracts)
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "publishing.assistant"],
        env=settings.as_environment() | {"PYTHONPATH": str(PROJECT)},
        cwd=str(PROJECT),
    )

    async def talk():
        async with Client(server) as client:
            tools = await client.list_tools()
            sql = f"select count(*) as rows from {PRODUCT}"
            return tools.tools, await client.call_tool("query_dataset", {"sql": sql})

    tools, result = anyio.run(talk)
    assert len(tools) == 3
    assert result.structured_content["rows"] == [[48]]
    assert result.structured_content["citations"][0]["version"] == "1.0.0+1"
