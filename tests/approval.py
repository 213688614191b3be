"""A decision to share the hourly air product, for tests of what is made of one."""

from __future__ import annotations

from lakehouse.contracts.approvals import Approval, Audited

MADE = Approval(
    product="luftkvalitet_timme",
    audience="open",
    contract_version="1.0.0",
    columns=("station_id", "hour_start"),
    classification="0-2-1",
    personal_data=False,
    decision="MF-2026-0412",
    decided_by="Miljö- och hälsoskyddsnämnden",
    decided_on="2026-09-15",
    valid_until="2027-09-15",
    audited=Audited(delta_version=3, rows=48, audited_at="2026-09-14T06:00:00Z", verdict="0" * 64),
)
