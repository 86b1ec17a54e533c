"""Container images made from what this machine has: nothing is pulled, no builder is needed."""
