"""Small things that every room may use: files that are written whole, checks, errors."""
