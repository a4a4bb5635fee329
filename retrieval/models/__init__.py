"""Models on this disk: found, checked, unpacked, and put on the fitting device."""
