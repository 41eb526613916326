"""Whether a method shows what is there: lesions kept, lost or invented, and contradictions to the data."""
