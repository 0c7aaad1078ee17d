"""AWS's side of the lab: load balancer, scaling, database, files, and the stand-in for the API."""
