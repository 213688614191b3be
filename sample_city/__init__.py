"""A small Stockholm-like city whose suppliers deliver as real ones do, faults included."""
