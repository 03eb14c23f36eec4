"""Cedar policies: read with every fault, compiled into tiers, asked."""
