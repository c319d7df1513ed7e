"""`python -m phongmay` is the command `phongmay`."""

import sys

from phongmay.main import main

sys.exit(main())
