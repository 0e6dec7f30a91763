"""Generation on this machine, for Boards: an adapter, and specs as data."""
