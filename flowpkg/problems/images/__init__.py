"""Images: drawn animal faces, handwritten digits, and folders of the user's own."""
