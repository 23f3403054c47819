"""Errors of image files; each message continues a sentence that begins with the file's name."""


class ImageError(ValueError):
    """An image file that is not read."""


class UnsupportedImage(ImageError):
    """An image in a format, or with a kind of pixels, that is not supported."""


class DamagedImage(ImageError):
    """An image that is empty, damaged or incomplete."""


class ImageTooLarge(ImageError):
    """An image with more pixels than allowed, or one that would take too long to decode."""
