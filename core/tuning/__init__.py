"""What a run would do, which settings keep a wish, what held a run back, and where a server's knee is."""
