"""Whether the kernel's clock is kept by a time service."""

import ctypes

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised to a reliable server
_STRUCT_BYTES = 256  # more than struct timex on any 64-bit Linux; its first field, modes 0, only reads


def is_synchronised() -> bool | None:
    """None where the kernel cannot be asked."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_STRUCT_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
