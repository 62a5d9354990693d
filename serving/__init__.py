"""What answers: the model-event subscriber, the champion's answers, and what routing to it would save."""
