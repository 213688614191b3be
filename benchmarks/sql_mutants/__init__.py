"""Mistakes in the SQL of models, and what catches them."""
