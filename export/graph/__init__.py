"""A trained network as arrays and operators that any runtime has."""
