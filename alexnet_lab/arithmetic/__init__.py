"""The arithmetic of networks: sizes, parameters, work, receptive fields.

What belongs here counts without running: from a layer's settings and a shape it works
out numbers and shows the working. Whatever runs a network, trains it or draws it does
not; the exceptions are `verify`, which holds the ledger against torchinfo, and
`as_sequential`, which holds what it has read against the network itself.
"""

from alexnet_lab.arithmetic.accounting import Ledger, LedgerError, ledger, named_layers
from alexnet_lab.arithmetic.rules import Row, Step, UnknownLayerError, rule, rule_of
from alexnet_lab.arithmetic.sizes import output_size, size_formula
from alexnet_lab.arithmetic.straight import BranchError, as_sequential
from alexnet_lab.arithmetic.verification import torchinfo_text

__all__ = [
    "BranchError", "Ledger", "LedgerError", "Row", "Step", "UnknownLayerError",
    "as_sequential", "ledger", "named_layers", "output_size", "rule", "rule_of",
    "size_formula", "torchinfo_text",
]  # fmt: skip
