"""The face of the program. Starting it makes much and frees nothing, so the collector rests until long work begins."""

import gc

gc.disable()
