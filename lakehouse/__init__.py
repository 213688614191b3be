"""The ground floor: contracts as objects, Delta tables, the ledger, settings, time and units.

Everything above (ingestion, quality, publishing, orchestration) imports from here and this
package imports from none of them. No business rule lives here.
"""
