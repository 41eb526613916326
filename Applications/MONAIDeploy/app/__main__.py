"""What a MONAI Application Package starts: the folder, as a program."""

import sys

from ctsgan_deploy.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
