"""What a house's own models cost and how they are sampled."""
