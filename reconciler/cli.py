"""The command line (under construction by its owner)."""


def main() -> None:
    """Run the command line."""
