"""How much memory and time a DeepSeek model takes on given accelerators: pure formulas, each with its source."""
