"""What the commands share: options, tables, how they end."""
