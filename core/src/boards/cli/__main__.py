"""``python -m boards.cli``."""

from boards.cli.app import main

if __name__ == "__main__":
    main()
