"""Card templates, the card writer, and the cards it writes."""
