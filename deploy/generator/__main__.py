"""Writes what is made: `python -m deploy.generator`."""

from deploy.generator.files import FOLDER, made


def main() -> None:
    """Write every file that is made."""
    for path, text in made().items():
        target = FOLDER / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


if __name__ == "__main__":
    main()
