"""A home, its gateway, the network and the centre in virtual time: real code, and a played world around it."""
