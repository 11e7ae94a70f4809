"""Load as the world brings it: arrivals fixed beforehand, everything of security on, answers looked at."""
