"""`python -m palo` is `palo`."""

from palo.cli import main

if __name__ == "__main__":
    main()
