"""AWS's side: the load balancer's health, scaling, the database's and the files' servers, and the
API's stand-in."""
