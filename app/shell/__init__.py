"""What every page shares: the server, security, scripts, styles and components."""
