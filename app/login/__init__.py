"""The login page, login and logout."""
