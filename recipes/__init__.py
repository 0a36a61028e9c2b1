"""Recipes: the options of a training as flat TOML, by name; `auscult recipes` lists them."""
