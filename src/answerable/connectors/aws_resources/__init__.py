"""AWS resource connector: reads resource policies, public access and running roles."""
