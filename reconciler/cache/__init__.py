"""What was worked out once and need not be again. Nothing here is ever needed: any file may be missing, damaged or deleted."""
