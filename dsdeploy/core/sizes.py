"""Sizes as people read them."""


def size_words(size_bytes: int) -> str:
    """In binary units, as memory is counted: `641.27 GiB`, `241.40 MiB`; less than a MiB as `516 B`."""
    for unit, power in (("GiB", 30), ("MiB", 20)):
        if size_bytes >= 1 << power:
            return f"{size_bytes / (1 << power):,.2f} {unit}"
    return f"{size_bytes:,} B"
