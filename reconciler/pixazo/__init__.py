"""Speaks HTTP to the trainer API: one POST that may cost $8, and polls that cost nothing. Nothing else knows its URLs and words."""
