"""Who may do what: keys and their roles, rate limits, and checks of the headers that browsers send."""
