"""Use cases that only AWS answers: cuts, exposures, usage and the policy simulator."""
