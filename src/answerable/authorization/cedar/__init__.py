"""Cedar policies: loaded and validated, compiled into tiers, evaluated."""
