"""User accounts: logins, passwords and shared datasets."""
