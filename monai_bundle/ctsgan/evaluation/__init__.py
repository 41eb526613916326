"""Our models and what people would pick instead, side by side on the same CT."""
