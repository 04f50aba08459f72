"""The arithmetic of networks: sizes, parameters, work, receptive fields.

What belongs here counts without running: from a layer's settings and a shape it works
out numbers and shows the working. Whatever runs a network, trains it or draws it does
not; the one exception is `verify`, which holds the ledger against torchinfo.
"""

from alexnet_lab.arithmetic.accounting import Ledger, LedgerError, ledger, named_layers
from alexnet_lab.arithmetic.rules import Row, Step, UnknownLayerError, rule, rule_of
from alexnet_lab.arithmetic.sizes import output_size, size_formula
from alexnet_lab.arithmetic.verification import torchinfo_text

__all__ = [
    "Ledger", "LedgerError", "Row", "Step", "UnknownLayerError", "ledger",
    "named_layers", "output_size", "rule", "rule_of", "size_formula", "torchinfo_text",
]  # fmt: skip
