"""CTsGANEnhance beside an archive: series are fetched or received, enhanced, and stored back."""
