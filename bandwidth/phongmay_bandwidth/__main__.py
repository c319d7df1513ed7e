"""`python -m phongmay_bandwidth`: arguments in, exit code out."""

import sys

from phongmay_bandwidth.serving import main

sys.exit(main())
