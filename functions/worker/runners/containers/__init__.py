"""Tasks in containers, on ECS with Fargate: made ready, submitted, and read at their end."""
