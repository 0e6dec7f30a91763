"""Pictures with Pillow: what runs on the threads of the provider ``local``."""

from typing import Final

from boards_local.bench import Maker
from boards_local.pictures.drawing import placeholder
from boards_local.pictures.editing import blur, caption, contact_sheet, convert, resize, rotate

__all__ = ["MAKERS"]

MAKERS: Final[dict[str, Maker]] = {
    "blur": blur,
    "caption": caption,
    "contact-sheet": contact_sheet,
    "convert": convert,
    "placeholder": placeholder,
    "resize": resize,
    "rotate": rotate,
}
"""What makes the artifact of each generator of ``local``."""
