"""The gateway of a release, from this machine: its keys, its certificate, and what it says of itself."""
