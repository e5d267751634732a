"""Who may log in, how passwords are checked, and with whom datasets are shared."""
