"""Log in, log out, and change a password."""
