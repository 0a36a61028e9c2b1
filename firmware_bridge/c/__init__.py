"""The C that is copied, and the templates of the C that is written."""
