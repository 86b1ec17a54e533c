"""Takes DeepSeek from a pile of GPUs to a verified private service."""

__version__ = "0.1.0"
