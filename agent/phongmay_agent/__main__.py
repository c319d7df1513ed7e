"""`python -m phongmay_agent`: arguments in, exit code out."""

import sys

from phongmay_agent.main import main

sys.exit(main())
