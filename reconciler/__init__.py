"""Infrastructure as code for LoRA models: declare them in YAML, see what would be trained and what it costs, buy exactly that."""

__version__ = "0.1.0"
