"""The models that are in the package, and `auscult models`, which lists them."""
