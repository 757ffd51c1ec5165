"""The emulator: both protocols, its books, its faults, its files."""
