"""``python -m redmodel.cli`` is ``redmodel``."""

import sys

from redmodel.cli import main

if __name__ == "__main__":
    sys.exit(main())
