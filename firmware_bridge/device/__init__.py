"""Cores, their compilers, and the machines of QEMU that stand for them."""
