"""Publishing: immutable releases of audited products, and everything that is shown of them.

A release is the only door out of the lake. The catalogue, the site, the open database and the
assistant are all made from releases; none of them reads a Delta table.
"""
