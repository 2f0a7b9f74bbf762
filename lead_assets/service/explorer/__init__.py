"""The lead explorer: pages for people, from the same process and with the same keys as the service. Plain HTML and GET forms, no script."""
