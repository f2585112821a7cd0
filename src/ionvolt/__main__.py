"""``python -m ionvolt`` is the command ``ionvolt``."""

from ionvolt.cli.main import main

if __name__ == "__main__":
    main()
