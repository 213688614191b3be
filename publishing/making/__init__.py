"""How a release is made: what it needs first, its files, and how it differs from the last."""
