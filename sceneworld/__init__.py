"""The sample scene world: drawn images, conversations about them, and their exact translations."""
