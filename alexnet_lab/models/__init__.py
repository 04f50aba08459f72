"""The course's networks, each a flat nn.Sequential."""
