"""Linear evaluation of frozen features, as the OPERA benchmark does it."""
