"""The local review page: `palo review serve`."""
