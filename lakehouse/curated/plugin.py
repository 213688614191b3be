"""The plugin through which a dbt build ends in a new curated database.

The macro `publish_curated` calls it from `on-run-end`, the one place where every build ends:
those of Dagster and of the command `sjostad`, and `dbt build` in the folder of the models.

Source: dbt-duckdb 1.11, "Writing your own plugins".
"""

from __future__ import annotations

from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig

from lakehouse.curated import Model, build_curated_database
from lakehouse.settings import Settings


class Plugin(BasePlugin):  # type: ignore[misc]  # dbt-duckdb finds it by this name
    """Builds the curated database from the versions that this build has seen or made."""

    def initialize(self, _plugin_config: dict[str, Any]) -> None:
        """Read the settings that dbt's environment names."""
        self.settings = Settings.from_environment()

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Keep the connection in which the lake's plugin notes versions."""
        self.connection = conn

    def store(self, target_config: TargetConfig) -> None:
        """Build it; `target_config.config` holds `models`, nodes of dbt's manifest."""
        models = [Model.of(node) for node in target_config.config["models"]]
        with self.connection.cursor() as cursor:
            versions = cursor.execute(
                "select name, version from lake.upstream where source_id is null"
            ).fetchall()
        build_curated_database(self.settings, models, dict(versions))
