"""Report before the push what the platform would report after it."""
