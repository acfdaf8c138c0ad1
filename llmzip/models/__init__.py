"""Model packs: what makes them from the files of other tools, and what keeps them."""
