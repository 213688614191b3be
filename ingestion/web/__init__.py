"""Asking servers over HTTP, for every protocol that does: one guarded client, one way of paging."""
