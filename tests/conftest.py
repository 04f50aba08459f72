"""Said before torch loads: threads that spin make a busy machine many times slower."""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "2500")
