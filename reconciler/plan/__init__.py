"""DIFFERENCE: what would change and what it costs. Pure: values in, values out."""
