"""Said before torch loads: threads that spin make a busy machine many times slower."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
