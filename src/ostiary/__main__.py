"""``python -m ostiary`` is the command ``ostiary``."""

from ostiary.cli import main

if __name__ == "__main__":
    main()
