"""The runs of this plane, kept in DynamoDB, and the replies they owe; may import keptn."""
