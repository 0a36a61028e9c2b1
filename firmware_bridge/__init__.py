"""Firmware: an int8 model and a front-end specification in, what runs on a device out. Never imports torch."""
