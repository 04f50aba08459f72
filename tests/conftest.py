"""Said before torch loads, and for the processes that tests start: what is fast."""

import os

from alexnet_lab import environment

os.environ.update(environment.settings())
